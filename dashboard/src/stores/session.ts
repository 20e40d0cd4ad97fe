import { defineStore } from 'pinia'
import { ref, watch } from 'vue'

import type { Locale } from '@/words/names'

const KEY = 'patrol.session'

interface Kept {
  by?: string
  locale?: Locale
}

function kept(): Kept {
  try {
    const read: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}')
    return read && typeof read === 'object' ? (read as Kept) : {}
  } catch {
    return {}
  }
}

/** What this screen remembers of its reader: the language, and who acts here. */
export const useSession = defineStore('session', () => {
  const query = new URLSearchParams(location.search)
  const before = kept()
  const asked = query.get('lang') ?? before.locale
  const locale = ref<Locale>(asked === 'en' ? 'en' : 'zh')
  const by = ref(typeof before.by === 'string' ? before.by : '')
  const kiosk = query.has('kiosk')

  watch([locale, by], () => {
    try {
      localStorage.setItem(KEY, JSON.stringify({ locale: locale.value, by: by.value } satisfies Kept))
    } catch {
      // A screen that may not remember asks again next time.
    }
  })

  const switchLocale = () => (locale.value = locale.value === 'zh' ? 'en' : 'zh')

  return { locale, by, kiosk, switchLocale }
})
