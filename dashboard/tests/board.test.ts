import { describe, expect, it } from 'vitest'

import type { Alert, Device, GateEvent } from '@/api/types'
import { newsOf } from '@/components/board/feed'
import { labelEvery, shownSlots } from '@/components/board/slots'
import { pageOf } from '@/composables/usePages'
import { needsLook, troublesOf } from '@/status/devices'
import { lookOf, positionLook } from '@/status/tones'
import { byUrgency } from '@/stores/desk'

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

describe('the order of alerts', () => {
  const alert = (id: string, state: Alert['state'], severity: Alert['severity'], at: string) =>
    ({ id, state, severity, opened_at: at }) as Alert

  it('is what still waits, then the worst, then the newest; the closed ones last', () => {
    const alerts = [
      alert('closed', 'resolved', 'critical', '9'),
      alert('seen', 'acknowledged', 'critical', '8'),
      alert('minor', 'open', 'minor', '7'),
      alert('old', 'open', 'critical', '1'),
      alert('new', 'open', 'critical', '5'),
      alert('withdrawn', 'withdrawn', 'minor', '4'),
    ]
    expect(alerts.sort(byUrgency).map(({ id }) => id)).toEqual([
      'new',
      'old',
      'minor',
      'seen',
      'closed',
      'withdrawn',
    ])
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
    expect(troublesOf(device).map(({ code }) => code)).toEqual(['lost', 'battery', 'clock', 'buffered'])
    expect(needsLook(device)).toBe(true)
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
