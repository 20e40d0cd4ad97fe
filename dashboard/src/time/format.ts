// Times are shown in the site's zone and in 24 hours, whatever the browser's zone and language.

const formatters = new Map<string, Intl.DateTimeFormat>()

function formatter(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = zone + JSON.stringify(options)
  let made = formatters.get(key)
  if (!made) {
    try {
      made = new Intl.DateTimeFormat('en-GB', { ...options, timeZone: zone, hourCycle: 'h23' })
    } catch {
      made = new Intl.DateTimeFormat('en-GB', { ...options, timeZone: 'UTC', hourCycle: 'h23' })
    }
    formatters.set(key, made)
  }
  return made
}

export type Instant = string | number | null | undefined

export function millis(at: Instant): number {
  if (at === null || at === undefined) return Number.NaN
  return typeof at === 'number' ? at : Date.parse(at)
}

function show(at: Instant, zone: string, options: Intl.DateTimeFormatOptions): string {
  const ms = millis(at)
  return Number.isNaN(ms) ? '–' : formatter(zone, options).format(ms)
}

const HOUR_MINUTE: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit' }

export const clockMinutes = (at: Instant, zone: string) => show(at, zone, HOUR_MINUTE)

export const clockSeconds = (at: Instant, zone: string) =>
  show(at, zone, { ...HOUR_MINUTE, second: '2-digit' })

/** `2026-11-23` in the site's zone. */
export function isoDay(at: Instant, zone: string): string {
  const [day, month, year] = show(at, zone, { year: 'numeric', month: '2-digit', day: '2-digit' }).split('/')
  return year ? `${year}-${month}-${day}` : '–'
}

/** 0 for Sunday to 6 for Saturday, in the site's zone. */
export function weekday(at: Instant, zone: string): number {
  return ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'].indexOf(show(at, zone, { weekday: 'short' }))
}

const two = (n: number) => String(n).padStart(2, '0')

/** `12:34`, or `1:02:03` from an hour on; of the absolute value, cut to whole seconds. */
export function countdown(ms: number): string {
  if (!Number.isFinite(ms)) return '–'
  const s = Math.floor(Math.abs(ms) / 1000)
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60]
  return h > 0 ? `${h}:${two(m)}:${two(s % 60)}` : `${two(m)}:${two(s % 60)}`
}

export type Unit = 'd' | 'h' | 'min' | 's'

/** A span as the one or two biggest units that say it: 90 s → 1 min 30 s; 3 h 5 min; 2 d. */
export function spanParts(ms: number): [number, Unit][] {
  const s = Math.floor(Math.abs(ms) / 1000)
  const parts: [number, Unit][] = [
    [Math.floor(s / 86400), 'd'],
    [Math.floor(s / 3600) % 24, 'h'],
    [Math.floor(s / 60) % 60, 'min'],
    [s % 60, 's'],
  ]
  const first = parts.findIndex(([n]) => n > 0)
  if (first < 0) return [[0, 's']]
  return parts.slice(first, first + 2).filter(([n]) => n > 0)
}

/**
 * What a field for a time holds, in the site's zone: `2026-11-23 02:17`. It is a field for text: those that browsers have for
 * times speak the browser's language, and 12 hours in many of them.
 */
export const fieldText = (at: Instant, zone: string): string =>
  `${isoDay(at, zone)} ${clockMinutes(at, zone)}`

const FIELD = /^\s*(\d{4}-\d\d-\d\d)[ T]+(\d\d?)[:：](\d\d)\s*$/

/** The instant (ms) that such a field means in the site's zone, or NaN. A time that a clock change leaves out moves on. */
export function fieldInstant(text: string, zone: string): number {
  const read = (field: string) =>
    Date.parse(field.replace(FIELD, (_, day, h, m) => `${day}T${h.padStart(2, '0')}:${m}Z`))
  if (!FIELD.test(text)) return Number.NaN
  const wanted = read(text)
  if (Number.isNaN(wanted)) return Number.NaN
  let at = wanted
  for (let round = 0; round < 2; round += 1) at += wanted - read(fieldText(at, zone))
  return at
}
