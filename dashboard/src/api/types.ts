// The shapes of docs/api.md, as the server sends them. Codes are plain strings where the server may know more of them
// than this page does: a page must show an unknown one, never fail on it.

export interface Name {
  zh?: string
  en?: string
}

export type Params = Record<string, unknown>

export interface Reason {
  code: string
  params?: Params
}

export type Verdict =
  'upcoming' | 'open' | 'on_time' | 'early' | 'late' | 'incomplete' | 'missed' | 'unverified' | 'excused'

export interface Finding extends Reason {
  facts?: string[]
}

export interface Visit {
  checkpoint: string
  name?: Name | null
  verdict: string
  occurred_at: string | null
  received_at: string | null
  fact: string | null
  /** How well its scan shows that somebody was there: `qr`, `uid`, `wired` or `sun`. */
  strength?: string | null
}

export interface Call {
  at: string
  outcome: string
  by?: string | null
  fact?: string | null
}

/** Of a signed record: who signed, and what that came to. */
export interface Signed {
  at: string
  by: string
  counts: boolean
  result: string
  failed: string[]
  fact: string
}

/** A person's word that it is not to be held against anybody. */
export interface Excuse {
  by: string
  note: string
  at: string
  from?: string | null
}

export interface Occurrence {
  id: string
  site: string
  duty: string
  kind: string
  subject: string
  name?: Name | null
  post?: string | null
  opens_at: string
  planned_at?: string | null
  due_at: string
  started_at?: string | null
  done_at?: string | null
  verdict: string
  reason?: Reason | null
  clause?: string | null
  figure?: string | null
  plan_version?: number
  carriers?: string[]
  facts?: string[]
  findings?: Finding[]
  excuse?: Excuse | null
  /** What the facts say, where the verdict is `excused`. */
  judged?: { verdict: string; reason?: Reason | null } | null
  visits?: Visit[]
  calls?: Call[]
  signatures?: Signed[]
}

export type Severity = 'critical' | 'major' | 'minor'

export interface HistoryEntry {
  at: string
  what: string
  by: string | null
  from?: string | null
  params?: Params
}

export interface EscalationStep {
  after_s: number
  to: string[]
}

export interface Alert {
  id: string
  site: string
  kind: string
  subject: string
  name?: Name | null
  severity: Severity
  state: 'open' | 'acknowledged' | 'resolved' | 'withdrawn'
  opened_at: string
  deadline?: string | null
  closed_at?: string | null
  last_due_at?: string | null
  reason?: Reason | null
  clause?: string | null
  duty?: string | null
  occurrences?: string[]
  count?: number
  excused?: string[]
  facts?: string[]
  /** Of `site_silent`: the devices that are silent, and since when. */
  members?: { device: string; at: string }[]
  /** The alert that explains this one, and the silence that covers it: nobody is told of it. */
  inhibited_by?: string | null
  silenced_by?: string | null
  /** Since when it is neither: the steps of `escalation` count from here. */
  loud_since?: string | null
  steps_told?: number
  repeats?: number
  told?: string[]
  told_at?: string | null
  escalation?: EscalationStep[]
  history?: HistoryEntry[]
}

export interface Cell {
  status: string
  at?: string | null
  occurrence?: string | null
}

export interface RadioPost {
  post: string
  name?: Name | null
  due_at?: string | null
  /** From then on the deadline is near. */
  remind_at?: string | null
  cells: Cell[]
}

export interface Radio {
  slot_s: number
  slots: { from: string; to: string }[]
  next_due_at?: string | null
  posts: RadioPost[]
}

export interface Gate {
  device: string
  name?: Name | null
  posts?: string[]
  position: string
  since?: string | null
  /** A person told it to stay open. */
  held?: boolean
  /** The latest one to it; what is uncertain before all else. */
  command?: Command | null
}

export interface Command {
  id: string
  site: string
  device: string
  cmd: string
  by: string
  reason: string
  requested_at: string
  expires_at: string
  state: string
  result?: string | null
}

export interface GateEvent {
  at: string
  device: string
  event: string
  plate?: string | null
  lane?: string | null
  cause?: string | null
  by?: string | null
  fact?: string | null
}

export interface Device {
  device: string
  name?: Name | null
  kind: string
  online: boolean
  last_heard_at?: string | null
  battery?: number | null
  buffered?: number | null
  buffer_warning?: boolean
  lost?: number
  clock_error_s?: number | null
  clock_doubt_s?: number | null
  /** `ok`, or what is wrong with its wall clock. */
  clock?: string | null
  heard_until?: string | null
  /** The serial line over which the gateway itself reads it. */
  line?: Line | null
}

/** A serial line of the gateway's machine. Counts are since its start. */
export interface Line {
  port: string
  protocol: string
  /** `silent`: open, and nobody answers. */
  state: 'open' | 'silent' | 'closed'
  problem: string | null
  since: string | null
  frames: number
  held: number
  noise: Record<string, number>
  noise_kept: number
  faults: number
  reopenings: number
}

/** What nobody wants to be told of for a while. Empty `kinds` or `subjects` stand for all. */
export interface Silence {
  id: string
  site: string
  from: string
  to: string
  by: string
  reason: string
  kinds: string[]
  subjects: string[]
  maintenance: boolean
  created_at?: string
  ended_by?: string | null
}

export interface NewSilence {
  from?: string
  to: string
  reason: string
  kinds: string[]
  subjects: string[]
  maintenance: boolean
}

export interface Board {
  site: { id: string; name: Name | string; timezone: string }
  now: string
  plan_version: number
  shift?: { id: string; from: string; to: string } | null
  hero: Record<Severity, number>
  rounds: Occurrence[]
  records?: Occurrence[]
  radio: Radio | null
  alerts: Alert[]
  gates: Gate[]
  gate_feed: GateEvent[]
  devices: Device[]
  silences?: Silence[]
  /** Since when no device can be heard, because the gateway has lost its broker. */
  deaf_since?: string | null
}

export type Message =
  | { type: 'hello'; build: string; site: string; tz: string; now: string; speed?: number }
  | { type: 'snapshot'; seq: number; board: Board }
  | { type: 'delta'; seq: number; now: string; sections: Partial<Board> }
  | { type: 'tick'; seq: number; now: string }

export interface SiteSummary {
  id: string
  name: Name | string
  timezone: string
  plan_version: number
}

interface Named {
  id: string
  name?: Name | string | null
}

/** What this page reads of a site file: the names of things and of duties, and who works there. */
export interface SitePlan {
  /** How often an alert that nobody acknowledges is told again, such as `30min`. */
  repeat?: string
  people?: (Named & { role?: string })[]
  posts?: Named[]
  checkpoints?: Named[]
  devices?: Named[]
  routes?: Named[]
  duties?: Named[]
}

/** Whose token this page has signed in with; `name` is null while the gateway has no tokens. */
export interface SignedInAs {
  name: string | null
  role: string
}
