import type { Device } from '@/api/types'

/** What can be wrong with a device, worst first; empty for one that is well. */
export type Trouble =
  | { code: 'away'; since: string | null }
  | { code: 'silent'; since: string }
  | { code: 'lost'; records: number }
  | { code: 'full' }
  | { code: 'battery'; percent: number }
  | { code: 'clock'; state: string; seconds: number | null }
  | { code: 'buffered'; records: number }

const LOW_BATTERY = 20
const WRONG_CLOCK_S = 30

/** `silent`: since when it gives no heartbeat, where an alert says so. */
export function troublesOf(device: Device, silent?: string): Trouble[] {
  const troubles: Trouble[] = []
  const { battery, buffered, lost } = device
  if (!device.online) troubles.push({ code: 'away', since: device.last_heard_at ?? silent ?? null })
  else if (silent) troubles.push({ code: 'silent', since: silent })
  if (typeof lost === 'number' && lost > 0) troubles.push({ code: 'lost', records: lost })
  if (device.buffer_warning) troubles.push({ code: 'full' })
  if (typeof battery === 'number' && battery < LOW_BATTERY)
    troubles.push({ code: 'battery', percent: battery })
  const clock = clockTrouble(device)
  if (clock) troubles.push(clock)
  if (typeof buffered === 'number' && buffered > 0) troubles.push({ code: 'buffered', records: buffered })
  return troubles
}

/** What the gateway says of the clock; a gateway that says nothing is asked how far it is wrong. */
function clockTrouble({ clock, clock_error_s }: Device): Trouble | null {
  const seconds = typeof clock_error_s === 'number' ? clock_error_s : null
  if (clock) return clock === 'ok' ? null : { code: 'clock', state: clock, seconds }
  return seconds !== null && Math.abs(seconds) > WRONG_CLOCK_S
    ? { code: 'clock', state: 'off', seconds }
    : null
}

/** Nothing can be heard of it. */
export const isAway = (device: Device, silent?: string): boolean => !device.online || silent !== undefined

/** A device needs a look when the gateway has lost it, or soon will; records on their way are no trouble while it is heard. */
export const needsLook = (device: Device, silent?: string): boolean =>
  troublesOf(device, silent).some((trouble) => trouble.code !== 'buffered')
