import { defineStore } from 'pinia'
import { computed, ref } from 'vue'

import { ApiError, rest, type AlertAction } from '@/api/rest'
import type { Alert, Occurrence, Severity } from '@/api/types'
import { machine } from '@/time/ticker'
import { useLive } from './live'
import { useSession } from './session'

/** How long a choice made with the keys stays: a wall that nobody touches turns its pages again. */
const CHOICE_MS = 45_000
const TOAST_MS = 5_000

export interface Target {
  kind: 'alert' | 'round'
  id: string
}

export interface Toast {
  key: 'acknowledged' | 'resolved' | 'noted' | 'nothing' | 'conflict' | 'failed' | 'unreachable'
  alert: Alert | null
  detail: string
  until: number
}

interface Act {
  alert: Alert
  action: AlertAction
  note?: string | undefined
}

const SEVERITIES: Severity[] = ['critical', 'major', 'minor']
const STATES: Alert['state'][] = ['open', 'acknowledged', 'resolved', 'withdrawn']
const isClosed = (alert: Alert) => alert.state === 'resolved' || alert.state === 'withdrawn'

/** Loudest first: not acknowledged before acknowledged, then by severity, then the newest. */
export function byUrgency(a: Alert, b: Alert): number {
  return (
    Number(isClosed(a)) - Number(isClosed(b)) ||
    (isClosed(a) ? 0 : STATES.indexOf(a.state) - STATES.indexOf(b.state)) ||
    (isClosed(a) ? 0 : SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity)) ||
    b.opened_at.localeCompare(a.opened_at)
  )
}

const DONE = { acknowledge: 'acknowledged', resolve: 'resolved', note: 'noted' } as const

/** What the reader does at this screen: chooses, opens, acknowledges, resolves. */
export const useDesk = defineStore('desk', () => {
  const live = useLive()
  const session = useSession()

  const choice = ref<{ target: Target; until: number } | null>(null)
  const opened = ref<Target | null>(null)
  const helping = ref(false)
  const asking = ref<{ alert: Alert; action: 'resolve' | 'note' } | null>(null)
  /** The name of who acts is being asked for; what was about to be done goes on afterwards. */
  const naming = ref(false)
  const waiting = ref<Act | null>(null)
  const said = ref<Toast | null>(null)

  const alerts = computed(() => [...(live.board?.alerts ?? [])].sort(byUrgency))
  const chosen = computed(() =>
    choice.value && machine.value < choice.value.until ? choice.value.target : null,
  )
  const toast = computed(() => (said.value && machine.value < said.value.until ? said.value : null))
  const busy = computed(() => helping.value || naming.value || asking.value !== null)

  const targets = computed<Target[]>(() => [
    ...alerts.value.map((alert): Target => ({ kind: 'alert', id: alert.id })),
    ...(live.board?.rounds ?? []).map((round): Target => ({ kind: 'round', id: round.id })),
  ])

  const same = (a: Target | null, b: Target | null) => a?.kind === b?.kind && a?.id === b?.id
  const isChosen = (kind: Target['kind'], id: string) => same(chosen.value, { kind, id })

  function choose(target: Target): void {
    choice.value = { target, until: machine.value + CHOICE_MS }
  }

  function move(step: 1 | -1): void {
    const list = targets.value
    if (!list.length) return
    const from = opened.value ?? chosen.value
    const at = list.findIndex((target) => same(target, from))
    const next = at < 0 ? (step > 0 ? 0 : list.length - 1) : (at + step + list.length) % list.length
    choose(list[next]!)
    if (opened.value) opened.value = list[next]!
  }

  function open(target: Target | null = chosen.value): void {
    if (!target) return
    choose(target)
    opened.value = target
  }

  const openedAlert = computed(() =>
    opened.value?.kind === 'alert' ? alerts.value.find((alert) => alert.id === opened.value?.id) : undefined,
  )
  const openedRound = computed<Occurrence | undefined>(() =>
    opened.value?.kind === 'round'
      ? live.board?.rounds.find((round) => round.id === opened.value?.id)
      : undefined,
  )

  function say(key: Toast['key'], alert: Alert | null, detail = ''): void {
    said.value = { key, alert, detail, until: machine.value + TOAST_MS }
  }

  async function act(what: Act): Promise<void> {
    if (!session.by) {
      waiting.value = what
      naming.value = true
      return
    }
    try {
      const answer = await rest.act(what.alert.id, what.action, session.by, what.note)
      live.alertAnswered(answer)
      say(DONE[what.action], answer)
    } catch (error) {
      if (!(error instanceof ApiError) || error.status === 0) return say('unreachable', what.alert)
      const state = stateIn(error.body)
      if (error.status === 409 && state) return say('conflict', what.alert, state)
      say('failed', what.alert, String(error.status))
    }
  }

  /** The newest alert that is open, or the one whose detail the reader is looking at. */
  function acknowledgeNewest(): void {
    const open = (openedAlert.value ? [openedAlert.value] : alerts.value).filter(
      (alert) => alert.state === 'open',
    )
    const newest = open.sort((a, b) => b.opened_at.localeCompare(a.opened_at))[0]
    if (newest) void act({ alert: newest, action: 'acknowledge' })
    else say('nothing', null)
  }

  function named(by: string): void {
    session.by = by
    naming.value = false
    const next = waiting.value
    waiting.value = null
    if (next) void act(next)
  }

  function unnamed(): void {
    naming.value = false
    waiting.value = null
  }

  return {
    alerts,
    chosen,
    opened,
    openedAlert,
    openedRound,
    helping,
    asking,
    naming,
    toast,
    busy,
    isChosen,
    move,
    open,
    act,
    acknowledgeNewest,
    named,
    unnamed,
  }
})

/** The state that a 409 speaks of, wherever its body holds it. */
function stateIn(body: unknown): string | null {
  if (!body || typeof body !== 'object') return null
  const { state, detail } = body as { state?: unknown; detail?: unknown }
  return typeof state === 'string' ? state : stateIn(detail)
}
