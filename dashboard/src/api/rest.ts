import type {
  Alert,
  Command,
  NewSilence,
  Occurrence,
  Silence,
  SignedInAs,
  SitePlan,
  SiteSummary,
} from './types'

/** A request that the server refused or that never reached it. `status` is 0 in the latter case. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly body: unknown,
  ) {
    super(`the server answered ${status}`)
  }
}

let signedOut = (): void => {}

/** Has somebody told when the server asks this page to sign in. */
export function whenSignedOut(tell: () => void): void {
  signedOut = tell
}

async function call<T>(path: string, init?: RequestInit): Promise<T> {
  let answer: Response
  try {
    answer = await fetch(`/api${path}`, init)
  } catch {
    throw new ApiError(0, null)
  }
  const body: unknown = await answer.json().catch(() => null)
  if (answer.status === 401) signedOut()
  if (!answer.ok) throw new ApiError(answer.status, body)
  return body as T
}

const post = <T>(path: string, body: unknown) =>
  call<T>(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })

const segment = encodeURIComponent

export type AlertAction = 'acknowledge' | 'resolve' | 'note'

export type GateCommand = 'open' | 'close' | 'hold'

export const rest = {
  session: () => call<SignedInAs | null>('/session'),

  signIn: (token: string) => post<SignedInAs>('/session', { token }),

  signOut: () => call<null>('/session', { method: 'DELETE' }),

  sites: () => call<SiteSummary[]>('/sites'),

  plan: (site: string) => call<SitePlan>(`/sites/${segment(site)}/plan`),

  alert: (id: string) => call<Alert>(`/alerts/${segment(id)}`),

  act: (alert: string, action: AlertAction, by: string, note?: string) =>
    post<Alert>(`/alerts/${segment(alert)}/${action}`, note ? { by, note } : { by }),

  excuse: (site: string, occurrence: string, by: string, note: string) =>
    post<Occurrence>(`/sites/${segment(site)}/occurrences/${segment(occurrence)}/excuse`, { by, note }),

  silence: (site: string, wanted: NewSilence, by: string) =>
    post<Silence>(`/sites/${segment(site)}/silences`, { ...wanted, by }),

  endSilence: (site: string, silence: string, by: string) =>
    post<Silence>(`/sites/${segment(site)}/silences/${segment(silence)}/end`, { by }),

  command: (site: string, device: string, cmd: GateCommand, by: string, reason: string) =>
    post<Command>(`/sites/${segment(site)}/devices/${segment(device)}/commands`, { cmd, by, reason }),

  settle: (command: string, by: string, done: boolean, note: string) =>
    post<Command>(`/commands/${segment(command)}/settle`, { by, done, note }),

  /** Occurrences of one kind whose window touches [from, to). */
  occurrences: (kind: 'rounds' | 'radio-checks' | 'records', site: string, from: string, to: string) =>
    call<Occurrence[]>(`/${kind}?${new URLSearchParams({ site, from, to }).toString()}`),
}
