import type { GateEvent } from '@/api/types'

/** A barrier opens for a vehicle at most so long before the vehicle has passed. */
const OPENS_BEFORE_MS = 120_000

const isPassage = (event: GateEvent) => event.event.startsWith('vehicle')

/**
 * What of a gate feed is news, newest first. That a barrier has closed is told by its position, and that it opened for a
 * vehicle by the vehicle's passage; one that opened for nobody is news.
 */
export function newsOf(feed: GateEvent[]): GateEvent[] {
  const passedSoon = (opened: GateEvent) =>
    feed.some((event) => {
      const later = Date.parse(event.at) - Date.parse(opened.at)
      return event.device === opened.device && isPassage(event) && later >= 0 && later <= OPENS_BEFORE_MS
    })
  return feed
    .filter(({ event }) => event !== 'closed')
    .filter((event) => event.event !== 'opened' || !passedSoon(event))
    .sort((a, b) => b.at.localeCompare(a.at))
}
