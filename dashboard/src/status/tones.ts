// What a code looks like. Each status is told by its tone (colour and pattern), its mark (shape) and its word together.

import type { Occurrence } from '@/api/types'

export type Tone = 'ok' | 'late' | 'missed' | 'due' | 'off'

export type Mark =
  | 'check'
  | 'clock'
  | 'cross'
  | 'question'
  | 'ring'
  | 'dot'
  | 'half'
  | 'silent'
  | 'alarm'
  | 'swap'
  | 'early'
  | 'dash'
  | 'hourglass'
  | 'flag'
  | 'mute'

export interface Look {
  tone: Tone
  mark: Mark
  /** Somebody should look at it: it is pinned where lists turn pages. */
  bad: boolean
}

const look = (tone: Tone, mark: Mark, bad = false): Look => ({ tone, mark, bad })

const LOOKS: Record<string, Look> = {
  // verdicts of rounds, radio checks and visits
  on_time: look('ok', 'check'),
  early: look('late', 'early'),
  late: look('late', 'clock'),
  out_of_order: look('late', 'swap', true),
  incomplete: look('missed', 'half', true),
  missed: look('missed', 'cross', true),
  unverified: look('late', 'question', true),
  open: look('due', 'ring'),
  not_begun: look('due', 'dot'),
  upcoming: look('off', 'dot'),
  excused: look('off', 'dash'),
  // cells of the radio grid and outcomes of calls
  no_answer: look('missed', 'silent', true),
  abnormal: look('missed', 'alarm', true),
  answered: look('ok', 'check'),
  normal: look('ok', 'check'),
  done: look('ok', 'check'),
  off: look('off', 'dash'),
  // owed, and its deadline is near
  due_soon: look('late', 'hourglass'),
}

const UNKNOWN = look('late', 'question', true)

export const lookOf = (code: string): Look => (Object.hasOwn(LOOKS, code) ? LOOKS[code]! : UNKNOWN)

const POSITIONS: Record<string, Look> = {
  closed: look('ok', 'dash'),
  open: look('due', 'ring'),
  forced: look('missed', 'alarm', true),
  stuck: look('missed', 'half', true),
  fault: look('missed', 'cross', true),
  // quiet: after a start nothing has been heard of a barrier that nobody used
  unknown: look('off', 'question'),
}

/** A command of which nobody knows what came of it. */
export const commandLook = look('late', 'question', true)

export const positionLook = (code: string): Look =>
  Object.hasOwn(POSITIONS, code) ? POSITIONS[code]! : UNKNOWN

/**
 * What to say of a duty: its verdict, but a round that may begin is told apart from one that somebody walks, a post that did
 * not answer from one that nobody called, and a record that says that something is wrong from one that does not.
 */
export function statusOf(one: Pick<Occurrence, 'kind' | 'verdict' | 'started_at' | 'reason'>): string {
  if (one.kind !== 'radio_check' && one.verdict === 'open' && !one.started_at) return 'not_begun'
  if (one.kind === 'round') return one.verdict
  const said = one.reason?.code ?? ''
  if (said === 'signed_abnormal') return 'abnormal'
  return one.verdict === 'missed' && ['no_answer', 'abnormal'].includes(said) ? said : one.verdict
}

export const KNOWN_STATUSES = Object.keys(LOOKS)
export const KNOWN_POSITIONS = Object.keys(POSITIONS)
