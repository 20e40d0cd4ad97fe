import { onBeforeUnmount, onMounted } from 'vue'

import { useDesk } from '@/stores/desk'
import { useSession } from '@/stores/session'
import { useSound } from '@/stores/sound'

export function toggleFullscreen(): void {
  const change = document.fullscreenElement
    ? document.exitFullscreen()
    : document.documentElement.requestFullscreen()
  change.catch(() => undefined)
}

const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement && target.closest('input, textarea, select, [contenteditable]') !== null

const isPressable = (target: EventTarget | null) =>
  target instanceof HTMLElement && target.closest('button, a, summary') !== null

/** The keys of the board, all without modifiers. A key that a dialog or a field needs stays theirs. */
export function useKeys(): void {
  const desk = useDesk()
  const session = useSession()
  const sound = useSound()

  const keys: Record<string, () => void> = {
    a: desk.acknowledgeNewest,
    j: () => desk.move(1),
    k: () => desk.move(-1),
    m: sound.toggleMute,
    s: () => (desk.silences = 'list'),
    l: session.switchLocale,
    f: toggleFullscreen,
    '?': () => (desk.helping = true),
  }

  function onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.isComposing) return
    if (isTyping(event.target) || desk.busy) return
    if (event.key === 'Enter') {
      if (isPressable(event.target) || !desk.chosen) return
      desk.open()
    } else {
      const act = keys[event.key.toLowerCase()]
      if (!act) return
      act()
    }
    event.preventDefault()
  }

  onMounted(() => addEventListener('keydown', onKey))
  onBeforeUnmount(() => removeEventListener('keydown', onKey))
}
