import { defineStore } from 'pinia'
import { computed, ref, watch } from 'vue'

import { PATTERNS, Siren, type Cue } from '@/sound/siren'
import { isCalling } from '@/status/alerts'
import { machine } from '@/time/ticker'
import { useLive } from './live'
import { useSession } from './session'

export const MUTE_MS = 5 * 60_000

/** Sounds the worst alert that nobody has acknowledged, until somebody does; never one that is muted. A mute ends by itself. */
export const useSound = defineStore('sound', () => {
  const live = useLive()
  const session = useSession()
  const siren = new Siren()
  const armed = ref(false)
  const mutedUntil = ref(Number.NEGATIVE_INFINITY)
  const lastPlayed = ref<{ cue: Cue; at: number } | null>(null)

  const mutedFor = computed(() => Math.max(0, mutedUntil.value - machine.value))
  const muted = computed(() => mutedFor.value > 0)

  const cue = computed<Cue | null>(() => {
    if (live.stale) return 'lost'
    const calling = (live.board?.alerts ?? []).filter(isCalling)
    return (
      (['critical', 'major', 'minor'] as const).find((s) => calling.some((a) => a.severity === s)) ?? null
    )
  })

  async function arm(): Promise<void> {
    await siren.arm().catch(() => undefined)
    armed.value = siren.armed
  }

  function toggleMute(): void {
    mutedUntil.value = muted.value ? Number.NEGATIVE_INFINITY : machine.value + MUTE_MS
  }

  function onTick(at: number): void {
    armed.value = siren.armed
    if (!cue.value) {
      lastPlayed.value = null
      return
    }
    const due = lastPlayed.value?.cue !== cue.value || at - lastPlayed.value.at >= PATTERNS[cue.value].everyMs
    if (!due || !armed.value || muted.value) return
    lastPlayed.value = { cue: cue.value, at }
    siren.play(cue.value)
  }

  function start(): void {
    watch(machine, onTick)
    // The first click or key on the page arms the sound. A wall has neither: its browser is set to allow sound at once.
    if (session.kiosk) void arm()
    const first = () => {
      void arm().then(() => {
        if (!armed.value) return
        removeEventListener('pointerdown', first)
        removeEventListener('keydown', first)
      })
    }
    addEventListener('pointerdown', first)
    addEventListener('keydown', first)
  }

  return { armed, muted, mutedFor, cue, lastPlayed, arm, toggleMute, start }
})
