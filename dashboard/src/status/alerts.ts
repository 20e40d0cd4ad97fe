import type { Alert, Severity, Silence } from '@/api/types'
import { millis } from '@/time/format'

const SEVERITIES: Severity[] = ['critical', 'major', 'minor']
const STATES: Alert['state'][] = ['open', 'acknowledged', 'resolved', 'withdrawn']

export const isClosed = (alert: Alert): boolean => alert.state === 'resolved' || alert.state === 'withdrawn'

/** Nobody is told of it: an outage explains it, or a silence covers it. */
export const isMuted = (alert: Alert): boolean => Boolean(alert.inhibited_by || alert.silenced_by)

/** Somebody is still to answer for it: it sounds, is spoken, and counts as not acknowledged. */
export const isCalling = (alert: Alert): boolean => alert.state === 'open' && !isMuted(alert)

/** Loudest first: muted after all others, acknowledged after open, then by severity, then the newest. */
export function byUrgency(a: Alert, b: Alert): number {
  return (
    Number(isClosed(a)) - Number(isClosed(b)) ||
    (isClosed(a) ? 0 : Number(isMuted(a)) - Number(isMuted(b))) ||
    (isClosed(a) ? 0 : STATES.indexOf(a.state) - STATES.indexOf(b.state)) ||
    (isClosed(a) ? 0 : SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity)) ||
    b.opened_at.localeCompare(a.opened_at)
  )
}

/**
 * The alert in whose card this one is told of: the outage that explains it, or what explains that; itself where there is none.
 * An outage that is over hides nothing that is not.
 */
export function cardOf(alerts: Alert[], alert: Alert): Alert {
  let card = alert
  for (let steps = 0; card.inhibited_by && steps < alerts.length; steps += 1) {
    const cause = alerts.find(({ id }) => id === card.inhibited_by)
    if (!cause || (isClosed(cause) && !isClosed(alert))) break
    card = cause
  }
  return card
}

/** What an outage explains, directly or through another outage. */
export const explainedBy = (alerts: Alert[], cause: Alert): Alert[] =>
  alerts.filter((alert) => alert !== cause && reaches(alerts, alert, cause.id))

function reaches(alerts: Alert[], alert: Alert, id: string): boolean {
  let at: Alert | undefined = alert
  for (let steps = 0; at?.inhibited_by && steps < alerts.length; steps += 1) {
    if (at.inhibited_by === id) return true
    const next: string = at.inhibited_by
    at = alerts.find((one) => one.id === next)
  }
  return false
}

/** The alerts that have a card of their own. */
export const cardsOf = (alerts: Alert[]): Alert[] =>
  alerts.filter((alert) => cardOf(alerts, alert).id === alert.id)

/** Since when each silent device is, as alerts tell it. */
export function silentSince(alerts: Alert[]): ReadonlyMap<string, string> {
  const since = new Map<string, string>()
  for (const alert of alerts) {
    if (isClosed(alert)) continue
    const told: unknown = alert.reason?.params?.['since']
    if (alert.kind === 'device_silent') {
      since.set(alert.subject, typeof told === 'string' ? told : alert.opened_at)
    } else if (alert.kind === 'site_silent') {
      for (const { device, at } of alert.members ?? []) if (!since.has(device)) since.set(device, at)
    }
  }
  return since
}

export const runsAt = (silence: Silence, now: number): boolean =>
  millis(silence.from) <= now && now < millis(silence.to)
