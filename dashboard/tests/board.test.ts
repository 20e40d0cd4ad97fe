import { describe, expect, it } from 'vitest'

import type { Device, GateEvent, RadioPost } from '@/api/types'
import { newsOf } from '@/components/board/feed'
import { isDueSoon, labelEvery, shownSlots } from '@/components/board/slots'
import { pageOf } from '@/composables/usePages'
import { isAway, needsLook, troublesOf } from '@/status/devices'
import { lookOf, positionLook } from '@/status/tones'

describe('a list longer than its place', () => {
  const bad = (item: string) => item.startsWith('!')

  it('keeps the bad ones and turns the others', () => {
    const items = ['!1', '!2', 'a', 'b', 'c', 'd', 'e']
    expect(pageOf(items, bad, 4, 0)).toEqual({ items: ['!1', '!2', 'a', 'b'], page: 0, pages: 3 })
    expect(pageOf(items, bad, 4, 1).items).toEqual(['!1', '!2', 'c', 'd'])
    expect(pageOf(items, bad, 4, 5).items).toEqual(['!1', '!2', 'e'])
  })

  it('turns the bad ones too where they alone fill it', () => {
    const items = ['!1', '!2', '!3', 'a']
    const seen = [0, 1].flatMap((turn) => pageOf(items, bad, 2, turn).items)
    expect(new Set(seen)).toEqual(new Set(items))
  })

  it('has one page where all fit, and none is lost in a place of one', () => {
    expect(pageOf(['a', 'b'], bad, 2, 9)).toEqual({ items: ['a', 'b'], page: 0, pages: 1 })
    expect(pageOf(['!1', 'a'], bad, 1, 1).items).toEqual(['a'])
    expect(pageOf([], bad, 0, 0).items).toEqual([])
  })
})

describe('the slots of the radio grid', () => {
  const slots = Array.from({ length: 48 }, (_, i) => ({
    from: new Date(i * 1_800_000).toISOString(),
    to: new Date((i + 1) * 1_800_000).toISOString(),
  }))

  it('are all shown where they fit', () => {
    expect(shownSlots(slots.slice(0, 16), 0, 24)).toEqual({ from: 0, to: 16 })
  })

  it('are those around now where they do not, with two still to come', () => {
    expect(shownSlots(slots, 30 * 1_800_000, 24)).toEqual({ from: 9, to: 33 })
    expect(shownSlots(slots, 0, 24)).toEqual({ from: 0, to: 24 })
    expect(shownSlots(slots, 1e12, 24)).toEqual({ from: 24, to: 48 })
  })

  it('have labels at whole hours that do not touch', () => {
    expect([labelEvery(16, 1800), labelEvery(12, 3600), labelEvery(48, 900)]).toEqual([4, 3, 12])
  })
})

describe('a call that is owed', () => {
  const post = {
    due_at: '2026-11-23T14:30:00.000Z',
    remind_at: '2026-11-23T14:25:00.000Z',
  } as RadioPost
  const soonAt = (time: string, of = post) => isDueSoon(of, Date.parse(`2026-11-23T14:${time}.000Z`))

  it('is due soon from the notice on until it is overdue', () => {
    expect(['24:59', '25:00', '30:00', '30:01'].map((time) => soonAt(time))).toEqual([
      false,
      true,
      true,
      false,
    ])
  })

  it('is never due soon where the plan gives no notice', () => {
    expect(soonAt('29:00', { ...post, remind_at: null })).toBe(false)
    expect(soonAt('29:00', { ...post, due_at: null })).toBe(false)
  })
})

describe('a device', () => {
  const well: Device = {
    device: 'd',
    kind: 'scanner',
    online: true,
    battery: 80,
    buffered: 0,
    clock_error_s: 0.4,
  }

  it('that is well says nothing', () => {
    expect(troublesOf(well)).toEqual([])
    expect(needsLook({ ...well, buffered: 3 })).toBe(false)
  })

  it('says what is wrong, the worst first', () => {
    const device = {
      ...well,
      online: false,
      last_heard_at: null,
      battery: 3,
      buffered: 4,
      clock_error_s: -90,
    }
    expect(troublesOf(device).map(({ code }) => code)).toEqual(['away', 'battery', 'clock', 'buffered'])
    expect(needsLook(device)).toBe(true)
  })

  it('that is connected but gives no heartbeat is away', () => {
    expect(isAway(well)).toBe(false)
    expect(isAway(well, '2026-11-23T14:00:00.000Z')).toBe(true)
    expect(troublesOf(well, '2026-11-23T14:00:00.000Z')[0]).toMatchObject({ code: 'silent' })
  })

  it('says that it has lost records and is nearly full', () => {
    const device = { ...well, lost: 2, buffer_warning: true }
    expect(troublesOf(device)).toEqual([{ code: 'lost', records: 2 }, { code: 'full' }])
  })

  it('has the clock that the gateway says it has', () => {
    expect(troublesOf({ ...well, clock: 'ok', clock_error_s: 90 })).toEqual([])
    expect(troublesOf({ ...well, clock: 'stopped' })).toMatchObject([{ code: 'clock', state: 'stopped' }])
  })
})

describe('the look of a code', () => {
  it('is a question for one that this page does not know', () => {
    for (const code of ['brand_new', 'constructor', '']) {
      expect(lookOf(code)).toMatchObject({ mark: 'question', bad: true })
      expect(positionLook(code)).toMatchObject({ mark: 'question' })
    }
  })
})

describe('the gate feed', () => {
  const event = (at: string, event: string, device = 'gate-east'): GateEvent => ({
    at: `2026-11-23T14:${at}.000Z`,
    device,
    event,
  })

  it('says a passage once, without the barrier that opened for it and closed behind it', () => {
    const feed = [event('02:10', 'closed'), event('02:05', 'vehicle_in'), event('02:00', 'opened')]
    expect(newsOf(feed).map((one) => one.event)).toEqual(['vehicle_in'])
  })

  it('says what opened for nobody, and what was forced, newest first', () => {
    const feed = [
      event('02:00', 'opened'),
      event('02:05', 'vehicle_in', 'gate-west'),
      event('01:00', 'vehicle_out'),
      event('03:00', 'forced'),
      event('09:00', 'vehicle_in'),
    ]
    expect(newsOf(feed).map((one) => one.event)).toEqual([
      'vehicle_in',
      'forced',
      'vehicle_in',
      'opened',
      'vehicle_out',
    ])
  })
})
