import { describe, expect, it } from 'vitest'

import type { Board, Occurrence } from '@/api/types'
import { doneOf, dutiesOf, partsOf } from '@/status/duties'
import { statusOf } from '@/status/tones'

const NOW = Date.parse('2026-11-25T14:00:00Z')

const record = (more: Partial<Occurrence>): Occurrence => ({
  id: 'drill@1',
  site: 'riverside',
  duty: 'drill',
  kind: 'record',
  subject: 'drill',
  opens_at: '2026-10-01T00:00:00Z',
  due_at: '2026-11-25T20:00:00Z',
  verdict: 'open',
  signatures: [],
  ...more,
})

const signed = (more = {}) => ({
  at: '2026-11-25T13:00:00Z',
  by: 'zhao',
  counts: true,
  result: 'done',
  failed: [],
  fact: '@desk/a/1',
  ...more,
})

const board = (records: Occurrence[]) => ({ rounds: [], records }) as unknown as Board

describe('the records of the board', () => {
  it('are there when they are due within a shift, not months before', () => {
    const drill = record({ id: 'far', due_at: '2026-12-31T16:00:00Z' })
    expect(dutiesOf(board([drill, record({})]), NOW).map(({ id }) => id)).toEqual(['drill@1'])
  })

  it('stay when they went wrong, however long ago', () => {
    const missed = record({ verdict: 'missed', due_at: '2026-11-24T00:00:00Z' })
    expect(dutiesOf(board([missed]), NOW)).toEqual([missed])
  })

  it('show one part for each signature that is wanted, and count only those that count', () => {
    const one = record({
      reason: { code: 'awaiting_signature', params: { signed: 1, of: 2 } },
      signatures: [signed(), signed({ counts: false, fact: '@desk/a/2' })],
    })
    expect(partsOf(one).map(({ verdict }) => verdict)).toEqual(['on_time', 'open'])
    expect(doneOf(one)).toBe(1)
  })

  it('of which nobody signed anything show a part that is missing', () => {
    expect(partsOf(record({ verdict: 'missed' }))).toEqual([{ verdict: 'missed' }])
  })

  it('say that something is wrong where the signature says so', () => {
    const one = record({
      verdict: 'on_time',
      reason: { code: 'signed_abnormal' },
      signatures: [signed({ result: 'abnormal' })],
    })
    expect(statusOf(one)).toBe('abnormal')
    expect(partsOf(one)).toEqual([{ verdict: 'abnormal' }])
  })

  it('wait to be signed, like a round that nobody has begun', () => {
    expect(statusOf(record({}))).toBe('not_begun')
  })
})
