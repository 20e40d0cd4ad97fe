import { defineStore } from 'pinia'
import { computed, ref, shallowRef, watch } from 'vue'

import { LiveClient, STALE_MS, type Link } from '@/api/live'
import { rest } from '@/api/rest'
import type { Alert, Board, Command, Occurrence, Silence, SitePlan, SiteSummary } from '@/api/types'
import { ServerClock } from '@/time/clock'
import { machine } from '@/time/ticker'
import { indexNames } from '@/words/names'
import { useSession } from './session'

// A page runs for months: however much a server sends, this is what it keeps.
const KEPT = { rounds: 200, alerts: 300, gate_feed: 50, devices: 500, gates: 100, silences: 200 } as const
const RELOADED_FOR = 'patrol.reloaded-for'

function bounded<T extends Partial<Board>>(sections: T): T {
  const kept: T = { ...sections }
  for (const [key, most] of Object.entries(KEPT) as [keyof typeof KEPT, number][]) {
    const list = kept[key]
    if (list && list.length > most) Object.assign(kept, { [key]: list.slice(0, most) })
  }
  return kept
}

/** A new build of the service brings new pages: load them, once for each build. */
function reloadFor(build: string): void {
  if (__BUILD_ID__ === 'dev' || !build || build === __BUILD_ID__) return
  if (sessionStorage.getItem(RELOADED_FOR) === build) return
  sessionStorage.setItem(RELOADED_FOR, build)
  location.reload()
}

/** The live board of one site, the server's clock, and how the link to it is. */
export const useLive = defineStore('live', () => {
  const board = shallowRef<Board | null>(null)
  const plan = shallowRef<SitePlan | null>(null)
  const sites = shallowRef<SiteSummary[]>([])
  const site = ref<string | null>(null)
  const zone = ref('UTC')
  const speed = ref(1)
  const link = ref<Link>('connecting')
  /** Of the server's clock, in ms; NaN while unknown. */
  const now = ref(Number.NaN)
  const silentFor = ref(0)

  const session = useSession()
  const clock = new ServerClock()
  const startedAt = machine.value
  let client: LiveClient | null = null
  let asked = false
  let askAgainAt = 0

  const stale = computed(() => silentFor.value > STALE_MS)
  const names = computed(() => indexNames(plan.value, board.value))

  async function loadPlan(of: string): Promise<void> {
    const loaded = await rest.plan(of).catch(() => null)
    if (loaded && site.value === of) plan.value = loaded
  }

  watch(
    () => board.value?.plan_version,
    (version) => {
      if (version !== undefined && site.value) void loadPlan(site.value)
    },
  )

  function choose(id: string): void {
    client?.stop()
    site.value = id
    board.value = plan.value = null
    client = new LiveClient(id, (path) => new WebSocket(socketOrigin() + path), {
      hello(message) {
        reloadFor(message.build)
        zone.value = message.tz
        speed.value = message.speed ?? 1
        clock.set(message.now, machine.value, speed.value)
      },
      board(whole) {
        board.value = bounded(whole)
        zone.value = whole.site.timezone
        clock.set(whole.now, machine.value)
      },
      sections(changed) {
        if (board.value) board.value = { ...board.value, ...bounded(changed) }
      },
      now: (told) => clock.set(told, machine.value),
    })
    client.tick(machine.value)
  }

  /** Shows what an action answered at once; the stream will say the same. */
  function alertAnswered(alert: Alert): void {
    if (!board.value) return
    const alerts = board.value.alerts.map((one) => (one.id === alert.id ? alert : one))
    board.value = { ...board.value, alerts }
  }

  function occurrenceAnswered(occurrence: Occurrence): void {
    if (!board.value) return
    const answered = (one: Occurrence) => (one.id === occurrence.id ? occurrence : one)
    const { rounds, records = [] } = board.value
    board.value = { ...board.value, rounds: rounds.map(answered), records: records.map(answered) }
  }

  function silenceAnswered(silence: Silence): void {
    if (!board.value) return
    const others = (board.value.silences ?? []).filter(({ id }) => id !== silence.id)
    const silences = silence.ended_by ? others : [...others, silence]
    board.value = { ...board.value, silences }
  }

  function commandAnswered(command: Command): void {
    if (!board.value) return
    const gates = board.value.gates.map((one) => (one.device === command.device ? { ...one, command } : one))
    board.value = { ...board.value, gates }
  }

  async function loadSites(): Promise<void> {
    asked = true
    askAgainAt = machine.value + 3_000
    const wanted = new URLSearchParams(location.search).get('site')
    sites.value = await rest.sites().catch(() => [])
    asked = false
    const id = wanted ?? sites.value[0]?.id
    if (id) choose(id)
  }

  function onTick(at: number): void {
    if (client === null && !asked && at >= askAgainAt) void loadSites()
    client?.tick(at)
    link.value = client?.link ?? 'closed'
    if (link.value === 'signed_out') session.signedOut = true
    silentFor.value = at - Math.max(client?.lastHeard ?? startedAt, startedAt)
    // Whole seconds: what shows the time is drawn once a second, not at every tick.
    now.value = Math.floor(clock.read(at) / 1000) * 1000
  }

  function start(): void {
    watch(machine, onTick, { immediate: true, flush: 'sync' })
  }

  return {
    board,
    plan,
    sites,
    site,
    zone,
    speed,
    link,
    now,
    silentFor,
    stale,
    names,
    choose,
    alertAnswered,
    occurrenceAnswered,
    silenceAnswered,
    commandAnswered,
    start,
  }
})

/** A socket's address must be whole: browsers before Chromium 125 take no relative one. */
function socketOrigin(): string {
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}`
}
