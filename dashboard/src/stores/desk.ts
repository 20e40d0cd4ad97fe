import { defineStore } from 'pinia'
import { computed, ref, shallowRef, watch } from 'vue'

import { ApiError, rest, type AlertAction, type GateCommand } from '@/api/rest'
import type { Alert, Command, Gate, Name, NewSilence, Occurrence, Silence } from '@/api/types'
import { byUrgency, cardOf, cardsOf, isCalling } from '@/status/alerts'
import { dutiesOf } from '@/status/duties'
import { machine } from '@/time/ticker'
import { useLive } from './live'
import { useSession } from './session'

/** How long a choice made with the keys stays: a wall that nobody touches turns its pages again. */
const CHOICE_MS = 45_000
const TOAST_MS = 5_000
/** What failed takes longer to read. */
const FAILURE_MS = 15_000

export interface Target {
  kind: 'alert' | 'round'
  id: string
}

/** What an action is about, and what a toast names. */
interface About {
  id: string
  name?: Name | null | undefined
}

const FAILURES = [
  'conflict',
  'conflict_excuse',
  'conflict_silence',
  'conflict_command',
  'offline',
  'forbidden',
  'forbidden_command',
  'failed',
  'unreachable',
] as const

export interface Toast {
  key:
    | (typeof FAILURES)[number]
    | (
        | 'acknowledged'
        | 'resolved'
        | 'noted'
        | 'excused'
        | 'silenced'
        | 'announced'
        | 'unsilenced'
        | 'commanded'
        | 'settled'
        | 'nothing'
      )
  about: About | null
  detail: string
  failed: boolean
  until: number
}

/** What is being asked in a dialog: words for an alert or an occurrence, or for how long to silence an alert. */
export type Question =
  | { action: 'resolve' | 'note'; alert: Alert }
  | { action: 'excuse'; occurrence: Occurrence }
  | { action: 'silence'; alert: Alert }
  | { action: 'command'; gate: Gate }

const DONE = { acknowledge: 'acknowledged', resolve: 'resolved', note: 'noted' } as const

/** What the reader does at this screen: chooses, opens, acknowledges, resolves, excuses, silences. */
export const useDesk = defineStore('desk', () => {
  const live = useLive()
  const session = useSession()

  const choice = ref<{ target: Target; until: number } | null>(null)
  const opened = ref<Target | null>(null)
  const helping = ref(false)
  const asking = shallowRef<Question | null>(null)
  /** The list of silences is open, or the announcement of maintenance on top of it. */
  const silences = ref<'closed' | 'list' | 'maintenance'>('closed')
  /** The name of who acts is being asked for; what was about to be done goes on afterwards. */
  const naming = ref(false)
  let tellName: ((by: string) => void) | null = null
  const said = shallowRef<Toast | null>(null)
  /** What is open but not on the board: an alert that was asked of the server, an occurrence that left with its excuse. */
  const besides = shallowRef<{ alert?: Alert; round?: Occurrence; missing?: string }>({})

  const alerts = computed(() => [...(live.board?.alerts ?? [])].sort(byUrgency))
  /** Those with a card of their own: what an outage explains is told of in the outage's card. */
  const cards = computed(() => cardsOf(alerts.value))
  const chosen = computed(() =>
    choice.value && machine.value < choice.value.until ? choice.value.target : null,
  )
  const toast = computed(() => (said.value && machine.value < said.value.until ? said.value : null))
  const busy = computed(
    () => helping.value || naming.value || asking.value !== null || silences.value !== 'closed',
  )
  const modal = computed(() => busy.value || opened.value !== null)

  const targets = computed<Target[]>(() => [
    ...cards.value.map((alert): Target => ({ kind: 'alert', id: alert.id })),
    ...dutiesOf(live.board, live.now).map((round): Target => ({ kind: 'round', id: round.id })),
  ])

  const same = (a: Target | null, b: Target | null) => a?.kind === b?.kind && a?.id === b?.id
  const isChosen = (kind: Target['kind'], id: string) => same(chosen.value, { kind, id })

  function choose(target: Target): void {
    choice.value = { target, until: machine.value + CHOICE_MS }
  }

  /** Where a target stands in the lists: an alert that an outage explains stands where the outage does. */
  function placed(target: Target | null): Target | null {
    const alert = target?.kind === 'alert' && alerts.value.find(({ id }) => id === target.id)
    return alert ? { kind: 'alert', id: cardOf(alerts.value, alert).id } : target
  }

  function move(step: 1 | -1): void {
    const list = targets.value
    if (!list.length) return
    const from = placed(opened.value ?? chosen.value)
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

  /** Opens an alert that may have left the board, such as the one of a link. */
  async function openAlert(id: string): Promise<void> {
    open({ kind: 'alert', id })
    if (alerts.value.some((alert) => alert.id === id)) return
    besides.value = {}
    const alert = await rest.alert(id).catch(() => null)
    besides.value = alert ? { alert } : { missing: id }
  }

  const openedAlert = computed(() => {
    if (opened.value?.kind !== 'alert') return undefined
    const { id } = opened.value
    return [...alerts.value, besides.value.alert].find((alert) => alert?.id === id)
  })
  const openedRound = computed(() => {
    if (opened.value?.kind !== 'round') return undefined
    const { id } = opened.value
    return [...dutiesOf(live.board, live.now), besides.value.round].find((round) => round?.id === id)
  })
  const loading = computed(
    () => opened.value?.kind === 'alert' && !openedAlert.value && besides.value.missing !== opened.value.id,
  )

  function say(key: Toast['key'], about: About | null, detail = ''): void {
    const failed = (FAILURES as readonly string[]).includes(key)
    said.value = { key, about, detail, failed, until: machine.value + (failed ? FAILURE_MS : TOAST_MS) }
  }

  // What failed was said of the dialog or the record that the reader has left by now.
  watch([asking, silences, opened], () => {
    if (said.value?.failed) said.value = null
  })

  function whoActs(): Promise<string> {
    if (session.by) return Promise.resolve(session.by)
    naming.value = true
    return new Promise((resolve) => (tellName = resolve))
  }

  function named(by: string): void {
    if (by) session.by = by
    naming.value = false
    tellName?.(by)
    tellName = null
  }

  /** Does something in the reader's name and says how it went. Answers whether it was done. */
  async function attempt(
    about: About,
    done: Toast['key'],
    conflict: 'conflict' | 'conflict_excuse' | 'conflict_silence' | 'conflict_command',
    run: (by: string) => Promise<void>,
  ): Promise<boolean> {
    const by = await whoActs()
    if (!by) return false
    try {
      await run(by)
      say(done, about)
      return true
    } catch (error) {
      if (!(error instanceof ApiError) || error.status === 0) say('unreachable', about)
      else if (error.status === 403 && done === 'excused') say('forbidden', about, by)
      else if (error.status === 403 && conflict === 'conflict_command') say('forbidden_command', about, by)
      else if (error.status === 409 && stateIn(error.body) === 'offline') say('offline', about)
      else if (error.status === 409) say(conflict, about, stateIn(error.body) ?? '')
      else say('failed', about, String(error.status))
      return false
    }
  }

  const act = (alert: Alert, action: AlertAction, note?: string) =>
    attempt({ id: alert.subject, name: alert.name }, DONE[action], 'conflict', async (by) => {
      const answer = await rest.act(alert.id, action, by, note)
      if (besides.value.alert?.id === answer.id) besides.value = { alert: answer }
      live.alertAnswered(answer)
    })

  const excuse = (occurrence: Occurrence, note: string) =>
    attempt({ id: occurrence.subject, name: occurrence.name }, 'excused', 'conflict_excuse', async (by) => {
      const answer = await rest.excuse(occurrence.site, occurrence.id, by, note)
      besides.value = { ...besides.value, round: answer }
      live.occurrenceAnswered(answer)
    })

  const silence = (about: About, wanted: NewSilence) =>
    attempt(about, wanted.maintenance ? 'announced' : 'silenced', 'conflict_silence', async (by) => {
      live.silenceAnswered(await rest.silence(live.site ?? '', wanted, by))
    })

  const unsilence = (one: Silence) =>
    attempt({ id: one.id }, 'unsilenced', 'conflict_silence', async (by) => {
      live.silenceAnswered(await rest.endSilence(one.site, one.id, by))
    })

  const command = (gate: Gate, cmd: GateCommand, reason: string) =>
    attempt({ id: gate.device, name: gate.name }, 'commanded', 'conflict_command', async (by) => {
      live.commandAnswered(await rest.command(live.site ?? '', gate.device, cmd, by, reason))
    })

  /** Says of an uncertain command what was seen. */
  const settle = (gate: Gate, one: Command, done: boolean, note: string) =>
    attempt({ id: gate.device, name: gate.name }, 'settled', 'conflict_command', async (by) => {
      live.commandAnswered(await rest.settle(one.id, by, done, note))
    })

  /** The newest alert that waits for somebody, or the one whose detail the reader is looking at. */
  function acknowledgeNewest(): void {
    const open = openedAlert.value
      ? [openedAlert.value].filter((alert) => alert.state === 'open')
      : alerts.value.filter(isCalling)
    const newest = open.sort((a, b) => b.opened_at.localeCompare(a.opened_at))[0]
    if (newest) void act(newest, 'acknowledge')
    else say('nothing', null)
  }

  return {
    alerts,
    cards,
    chosen,
    opened,
    openedAlert,
    openedRound,
    loading,
    helping,
    asking,
    silences,
    naming,
    toast,
    busy,
    modal,
    isChosen,
    move,
    open,
    openAlert,
    act,
    excuse,
    silence,
    unsilence,
    command,
    settle,
    acknowledgeNewest,
    named,
  }
})

/** The state that a 409 speaks of, wherever its body holds it. */
function stateIn(body: unknown): string | null {
  if (!body || typeof body !== 'object') return null
  const { state, detail } = body as { state?: unknown; detail?: unknown }
  return typeof state === 'string' ? state : stateIn(detail)
}
