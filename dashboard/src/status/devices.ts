import type { Device } from '@/api/types'

/** What can be wrong with a device, worst first; empty for one that is well. */
export type Trouble =
  | { code: 'lost'; since: string | null }
  | { code: 'battery'; percent: number }
  | { code: 'clock'; seconds: number }
  | { code: 'buffered'; records: number }

const LOW_BATTERY = 20
const WRONG_CLOCK_S = 30

export function troublesOf(device: Device): Trouble[] {
  const troubles: Trouble[] = []
  const { battery, clock_error_s, buffered } = device
  if (!device.online) troubles.push({ code: 'lost', since: device.last_heard_at ?? null })
  if (typeof battery === 'number' && battery < LOW_BATTERY)
    troubles.push({ code: 'battery', percent: battery })
  if (typeof clock_error_s === 'number' && Math.abs(clock_error_s) > WRONG_CLOCK_S) {
    troubles.push({ code: 'clock', seconds: clock_error_s })
  }
  if (typeof buffered === 'number' && buffered > 0) troubles.push({ code: 'buffered', records: buffered })
  return troubles
}

/** A device needs a look when the gateway has lost it, or soon will; records on their way are no trouble while it is heard. */
export const needsLook = (device: Device): boolean =>
  troublesOf(device).some((trouble) => trouble.code !== 'buffered')
