import type { Alert } from '@/api/types'
import { millis } from '@/time/format'
import { isMuted } from './alerts'

/** One step of an alert's escalation. */
export interface Rung {
  to: string[]
  afterS: number
  /** When it was told, null where it was not; empty where nothing says when. */
  toldAt: string | null
  /** When it will be told (ms), where that is known. */
  nextAt: number | null
}

export interface Ladder {
  rungs: Rung[]
  repeats: number
  /** When it is told again after the last step (ms), where that is next. */
  repeatAt: number | null
  /** Why nobody is told next. */
  halted: 'muted' | 'acknowledged' | null
}

/** What a site file means that says nothing of it. */
const DEFAULT_REPEAT = '30min'
const UNITS: Record<string, number> = { s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 }

/** `30min` in ms; 0 stands for never, and for what this page cannot read. */
function repeatMs(text: string): number {
  const match = /^(\d+)(s|min|h|d)$/.exec(text)
  return match ? Number(match[1]) * UNITS[match[2]!]! : 0
}

/** Whom an alert's steps have told when, and what comes next. `repeat`: of the site file. */
export function ladderOf(alert: Alert, repeat = DEFAULT_REPEAT): Ladder {
  const steps = alert.escalation ?? []
  const told = (alert.history ?? []).filter(
    ({ what, params }) =>
      what === 'told' && ['opened', 'escalated'].includes(String(params?.['notice'] ?? '')),
  )
  const done = alert.steps_told ?? 0
  const muted = isMuted(alert)
  const climbs = alert.state === 'open' && !muted
  const loud = millis(alert.loud_since)
  const rungs = steps.map((step, index): Rung => {
    const next = climbs && index >= done && !Number.isNaN(loud)
    return {
      to: step.to,
      afterS: step.after_s,
      toldAt: index < done ? (told[index]?.at ?? '') : null,
      nextAt: next ? loud + step.after_s * 1000 : null,
    }
  })
  const again = Math.max(millis(alert.told_at), loud) + repeatMs(repeat)
  const repeated = climbs && steps.length > 0 && done >= steps.length && repeatMs(repeat) > 0
  return {
    rungs,
    repeats: alert.repeats ?? 0,
    repeatAt: repeated && !Number.isNaN(again) ? again : null,
    halted:
      alert.state === 'acknowledged' ? 'acknowledged' : alert.state === 'open' && muted ? 'muted' : null,
  }
}
