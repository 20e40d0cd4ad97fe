import { describe, expect, it } from 'vitest'

import { ServerClock } from '@/time/clock'
import {
  clockMinutes,
  clockSeconds,
  countdown,
  fieldInstant,
  fieldText,
  isoDay,
  spanParts,
  weekday,
} from '@/time/format'

describe('a time of the site', () => {
  it('is in the site’s zone and in 24 hours', () => {
    expect(clockMinutes('2026-11-22T16:05:00.000Z', 'Asia/Shanghai')).toBe('00:05')
    expect(clockSeconds('2026-11-22T18:17:40.999Z', 'Asia/Shanghai')).toBe('02:17:40')
    expect(isoDay('2026-11-22T16:05:00.000Z', 'Asia/Shanghai')).toBe('2026-11-23')
    expect(weekday('2026-11-22T16:05:00.000Z', 'Asia/Shanghai')).toBe(1)
  })

  it('is right on both sides of a daylight-saving change', () => {
    expect(clockMinutes('2026-03-29T00:59:00Z', 'Europe/Berlin')).toBe('01:59')
    expect(clockMinutes('2026-03-29T01:00:00Z', 'Europe/Berlin')).toBe('03:00')
  })

  it('never fails: no instant is a dash, an unknown zone is UTC', () => {
    expect(clockMinutes(null, 'Asia/Shanghai')).toBe('–')
    expect(clockMinutes('nonsense', 'Asia/Shanghai')).toBe('–')
    expect(clockMinutes('2026-03-29T01:00:00Z', 'Mars/Olympus')).toBe('01:00')
  })
})

describe('a span', () => {
  it('counts down in minutes, and in hours where there are any', () => {
    expect([0, 59_999, 754_000, 3_723_000, -61_000].map(countdown)).toEqual([
      '00:00',
      '00:59',
      '12:34',
      '1:02:03',
      '01:01',
    ])
    expect(countdown(Number.NaN)).toBe('–')
  })

  it('is told by its two biggest units', () => {
    expect(spanParts(90_000)).toEqual([[1, 'min'], [30, 's']]) // prettier-ignore
    expect(spanParts(3 * 3_600_000)).toEqual([[3, 'h']])
    expect(spanParts(400)).toEqual([[0, 's']])
  })
})

describe('the server’s clock', () => {
  it('runs on between two messages, as fast as the server says', () => {
    const clock = new ServerClock()
    expect(clock.read(0)).toBeNaN()
    clock.set('2026-01-01T00:00:00.000Z', 1_000, 60)
    expect(clock.read(2_000) - Date.parse('2026-01-01T00:00:00Z')).toBe(60_000)
    clock.set('2026-01-01T00:02:00.000Z', 3_000)
    expect(clock.read(3_500) - Date.parse('2026-01-01T00:02:00Z')).toBe(30_000)
    clock.set('nonsense', 4_000)
    expect(clock.read(4_000)).not.toBeNaN()
  })
})

describe('a field for a time', () => {
  it('is read and filled in the zone of the site', () => {
    const instant = Date.parse('2026-11-22T18:17:00.000Z')
    expect(fieldText(instant, 'Asia/Shanghai')).toBe('2026-11-23 02:17')
    expect(fieldInstant('2026-11-23 02:17', 'Asia/Shanghai')).toBe(instant)
    expect(fieldInstant(' 2026-11-23  2：17 ', 'Asia/Shanghai')).toBe(instant)
    for (const text of ['', '02:17', '2026-13-23 02:17', '2026-11-23 25:00', 'tomorrow']) {
      expect(fieldInstant(text, 'Asia/Shanghai'), text).toBeNaN()
    }
  })

  it('means the right instant around a change of the clock', () => {
    for (const text of ['2026-10-25 01:30', '2026-10-25 03:30', '2026-03-29 01:30', '2026-03-29 03:30']) {
      expect(fieldText(fieldInstant(text, 'Europe/Berlin'), 'Europe/Berlin')).toBe(text)
    }
  })
})
