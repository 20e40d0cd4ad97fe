import { computed, onBeforeUnmount, ref, watch, type Ref } from 'vue'

import { machine } from '@/time/ticker'

const TURN_EVERY_MS = 8_000
const HELD_MS = 30_000

export interface Page<T> {
  items: T[]
  page: number
  pages: number
}

/**
 * One page of a list that is longer than its place: the bad ones are pinned at the top, and what is left of the place turns.
 * Where the bad ones alone fill it, they turn too: nothing stays unseen.
 */
export function pageOf<T>(items: T[], bad: (item: T) => boolean, places: number, turn: number): Page<T> {
  if (items.length <= places) return { items, page: 0, pages: 1 }
  const pinned = items.filter(bad)
  const keep = pinned.length < places ? pinned : []
  const rest = keep.length ? items.filter((item) => !bad(item)) : items
  const size = Math.max(1, places - keep.length)
  const pages = Math.max(1, Math.ceil(rest.length / size))
  const page = ((turn % pages) + pages) % pages
  return { items: [...keep, ...rest.slice(page * size, (page + 1) * size)], page, pages }
}

/** How high an element is, in the units of its sizes; endless on a narrow screen, where the page scrolls anyway. */
export function useRoom(element: Ref<HTMLElement | null>): Ref<number> {
  const units = ref(0)
  const observer = new ResizeObserver(measure)

  function measure(): void {
    if (!element.value) return
    const unit = Math.min(innerHeight / 100, (innerWidth * 0.5625) / 100)
    const scrolls = matchMedia('(max-width: 820px)').matches
    units.value = scrolls ? Number.POSITIVE_INFINITY : (element.value.clientHeight + 1) / unit
  }

  watch(element, (now, before) => {
    if (before) observer.unobserve(before)
    if (now) observer.observe(now)
  })
  onBeforeUnmount(() => observer.disconnect())
  return units
}

/** How many rows of a height fit into a room. */
export const usePlaces = (room: Ref<number>, rowUnits: number) =>
  computed(() => Math.max(1, Math.floor(room.value / rowUnits)))

/** Whether a reader is at an element, with the pointer or the focus: what they are about to press must not move. */
function useAttention(element: Ref<HTMLElement | null>): Ref<boolean> {
  const attended = ref(false)
  const look = () => {
    const at = element.value
    attended.value = at !== null && (at.matches(':hover') || at.contains(document.activeElement))
  }
  watch(machine, look)
  return attended
}

/** Turns the pages of a list; stays while a reader is at it, and for a while on the page of the item that was chosen. */
export function usePages<T>(
  items: () => T[],
  bad: (item: T) => boolean,
  places: Ref<number>,
  list: Ref<HTMLElement | null>,
  isChosen: (item: T) => boolean = () => false,
) {
  const attended = useAttention(list)
  const shown = ref(0)
  const held = ref<{ turn: number; until: number } | null>(null)
  const turn = computed(() => {
    if (held.value && machine.value < held.value.until) return held.value.turn
    if (attended.value) return shown.value
    return Math.floor(machine.value / TURN_EVERY_MS)
  })

  watch(
    () => items().find(isChosen),
    (chosen) => {
      if (!chosen) return (held.value = null)
      const pages = pageOf(items(), bad, places.value, 0).pages
      for (let wanted = 0; wanted < pages; wanted += 1) {
        if (pageOf(items(), bad, places.value, wanted).items.includes(chosen)) {
          held.value = { turn: wanted, until: machine.value + HELD_MS }
          return
        }
      }
    },
  )

  watch(turn, (now) => (shown.value = now), { immediate: true, flush: 'sync' })

  return computed(() => pageOf(items(), bad, places.value, turn.value))
}
