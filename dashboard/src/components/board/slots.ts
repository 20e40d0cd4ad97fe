import type { RadioPost } from '@/api/types'
import { millis } from '@/time/format'

interface Slot {
  from: string
  to: string
}

/** Which slots of a long period are shown: all where they fit, else those around now, two of them still to come. */
export function shownSlots(slots: Slot[], now: number, most: number): { from: number; to: number } {
  if (slots.length <= most) return { from: 0, to: slots.length }
  const under = slots.findIndex((slot) => now < millis(slot.to))
  const last = Math.min(slots.length, (under < 0 ? slots.length : under) + 3)
  const from = Math.max(0, last - most)
  return { from, to: from + most }
}

/** At every how many slots a time stands: at least at every whole hour, never so close that two would touch. */
export function labelEvery(columns: number, slotSeconds: number): number {
  const perHour = Math.max(1, Math.round(3600 / Math.max(1, slotSeconds)))
  const room = Math.ceil(columns / 5)
  return Math.ceil(Math.max(room, 2) / perHour) * perHour
}

/** Whether a call is owed and its deadline is near, which the plan's notice before it says. */
export const isDueSoon = (post: RadioPost, now: number): boolean =>
  millis(post.remind_at) <= now && now <= millis(post.due_at)
