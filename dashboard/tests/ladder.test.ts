import { describe, expect, it } from 'vitest'

import type { Alert } from '@/api/types'
import { ladderOf } from '@/status/ladder'

const at = (minute: number) => `2026-11-23T14:${String(minute).padStart(2, '0')}:00.000Z`
const told = (minute: number, notice: string) => ({
  at: at(minute),
  what: 'told',
  by: null,
  params: { notice, to: [] },
})

const base = {
  state: 'open',
  loud_since: at(0),
  steps_told: 1,
  repeats: 0,
  told_at: at(0),
  escalation: [
    { after_s: 0, to: ['shift_leader'] },
    { after_s: 600, to: ['supervisor'] },
  ],
  history: [told(0, 'opened')],
} as unknown as Alert

describe('the ladder of an alert', () => {
  it('says which steps were told when, and when the next one comes', () => {
    const { rungs, halted, repeatAt } = ladderOf(base)
    expect(rungs.map(({ toldAt }) => toldAt)).toEqual([at(0), null])
    expect(rungs.map(({ nextAt }) => nextAt)).toEqual([null, Date.parse(at(10))])
    expect([halted, repeatAt]).toEqual([null, null])
  })

  it('begins again with the last word after the last step, as often as the plan says', () => {
    const climbed = {
      ...base,
      steps_told: 2,
      told_at: at(40),
      repeats: 1,
      history: [told(0, 'opened'), told(10, 'escalated'), told(40, 'repeated')],
    } as Alert
    expect(ladderOf(climbed).rungs.map(({ toldAt }) => toldAt)).toEqual([at(0), at(10)])
    expect(ladderOf(climbed, '15min')).toMatchObject({ repeats: 1, repeatAt: Date.parse(at(55)) })
    expect(ladderOf(climbed, '0s').repeatAt).toBeNull()
  })

  it('waits while nobody is to be told, and ends when somebody has acknowledged', () => {
    const muted = ladderOf({ ...base, inhibited_by: 'x', loud_since: null })
    expect(muted.halted).toBe('muted')
    expect(muted.rungs.every(({ nextAt }) => nextAt === null)).toBe(true)
    expect(ladderOf({ ...base, state: 'acknowledged' })).toMatchObject({
      halted: 'acknowledged',
      repeatAt: null,
    })
    expect(ladderOf({ ...base, state: 'resolved' })).toMatchObject({ halted: null, repeatAt: null })
  })

  it('of an older gateway, which tells nothing of it, is its steps', () => {
    const { rungs, repeatAt } = ladderOf({ state: 'open', escalation: base.escalation } as Alert)
    expect(rungs.map(({ toldAt, nextAt }) => [toldAt, nextAt])).toEqual([
      [null, null],
      [null, null],
    ])
    expect(repeatAt).toBeNull()
  })
})
