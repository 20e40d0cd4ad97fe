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
}

export interface Call {
  at: string
  outcome: string
  by?: string | null
  fact?: string | null
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
  visits?: Visit[]
  calls?: Call[]
}

export type Severity = 'critical' | 'major' | 'minor'

export interface HistoryEntry {
  at: string
  what: string
  by: string | null
  params?: Params
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
  reason?: Reason | null
  clause?: string | null
  duty?: string | null
  occurrences?: string[]
  count?: number
  facts?: string[]
  escalation?: { after_s: number; to: string[] }[]
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
  clock_error_s?: number | null
  heard_until?: string | null
}

export interface Board {
  site: { id: string; name: Name | string; timezone: string }
  now: string
  plan_version: number
  shift?: { id: string; from: string; to: string } | null
  hero: Record<Severity, number>
  rounds: Occurrence[]
  radio: Radio | null
  alerts: Alert[]
  gates: Gate[]
  gate_feed: GateEvent[]
  devices: Device[]
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
  people?: (Named & { role?: string })[]
  posts?: Named[]
  checkpoints?: Named[]
  devices?: Named[]
  routes?: Named[]
  duties?: Named[]
}
