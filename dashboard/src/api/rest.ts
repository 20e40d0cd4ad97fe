import type { Alert, Occurrence, SitePlan, SiteSummary } from './types'

/** A request that the server refused or that never reached it. `status` is 0 in the latter case. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly body: unknown,
  ) {
    super(`the server answered ${status}`)
  }
}

async function call<T>(path: string, init?: RequestInit): Promise<T> {
  let answer: Response
  try {
    answer = await fetch(`/api${path}`, init)
  } catch {
    throw new ApiError(0, null)
  }
  const body: unknown = await answer.json().catch(() => null)
  if (!answer.ok) throw new ApiError(answer.status, body)
  return body as T
}

export type AlertAction = 'acknowledge' | 'resolve' | 'note'

export const rest = {
  sites: () => call<SiteSummary[]>('/sites'),

  plan: (site: string) => call<SitePlan>(`/sites/${encodeURIComponent(site)}/plan`),

  act: (alert: string, action: AlertAction, by: string, note?: string) =>
    call<Alert>(`/alerts/${encodeURIComponent(alert)}/${action}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(note ? { by, note } : { by }),
    }),

  /** Occurrences of one kind whose window touches [from, to). */
  occurrences: (kind: 'rounds' | 'radio-checks', site: string, from: string, to: string) =>
    call<Occurrence[]>(`/${kind}?${new URLSearchParams({ site, from, to }).toString()}`),
}
