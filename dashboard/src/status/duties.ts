// What the list of duties shows: the rounds, and the signed records that are somebody's business now.

import type { Board, Occurrence } from '@/api/types'
import { millis } from '@/time/format'
import { lookOf, statusOf } from './tones'

/** A record that is due later than this is not this shift's: a quarter's drill would stand there for three months. */
const SOON_MS = 12 * 3_600_000

/** The words for the status of each kind of duty stand in their own group of the locale files. */
export const statusWords = (kind: string): string =>
  ({ radio_check: 'radio_status', record: 'record_status' })[kind] ?? 'status'

/** The parts that fulfil a duty, in order: the visits of a round, or the signatures that count towards a record. */
export function partsOf(one: Occurrence): { verdict: string }[] {
  if (one.kind !== 'record') return one.visits ?? []
  const signed = (one.signatures ?? []).filter(({ counts }) => counts)
  const params = one.reason?.params ?? {}
  const wanted = typeof params['of'] === 'number' ? params['of'] : Math.max(1, signed.length)
  const rest = one.verdict === 'missed' ? 'missed' : 'open'
  return Array.from({ length: wanted }, (_, index) => ({
    verdict: signed[index] ? (signed[index].result === 'abnormal' ? 'abnormal' : 'on_time') : rest,
  }))
}

/** How many of its parts are done. */
export const doneOf = (one: Occurrence): number =>
  one.kind === 'record'
    ? (one.signatures ?? []).filter(({ counts }) => counts).length
    : (one.visits ?? []).filter((visit) => visit.occurred_at).length

function isSoon(record: Occurrence, now: number): boolean {
  const waits = record.verdict === 'open' || record.verdict === 'upcoming'
  return !waits || lookOf(statusOf(record)).bad || millis(record.due_at) - now < SOON_MS
}

/** The rounds of a board, and after them its records. */
export const dutiesOf = (board: Board | null, now: number): Occurrence[] => [
  ...(board?.rounds ?? []),
  ...(board?.records ?? []).filter((record) => isSoon(record, now)),
]
