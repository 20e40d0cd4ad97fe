import { readonly, ref } from 'vue'

const machineNow = ref(performance.now())
let started = false

/** The machine's steady clock in ms. Everything on the page that moves with time hangs on this one timer. */
export const machine = readonly(machineNow)

export function startTicker(): void {
  if (started) return
  started = true
  setInterval(() => (machineNow.value = performance.now()), 250)
}
