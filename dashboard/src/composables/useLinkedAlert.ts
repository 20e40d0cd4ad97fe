import { watch } from 'vue'

import { useDesk } from '@/stores/desk'
import { useLive } from '@/stores/live'

/** Opens the alert of the address, `/?alert=…`, as notifications link to it; once, or every reload would open it again. */
export function useLinkedAlert(): void {
  const address = new URL(location.href)
  const id = address.searchParams.get('alert')
  if (!id) return
  const live = useLive()
  const desk = useDesk()
  const stop = watch(
    () => live.board,
    (board) => {
      if (!board) return
      stop()
      address.searchParams.delete('alert')
      history.replaceState(history.state, '', address)
      void desk.openAlert(id)
    },
  )
}
