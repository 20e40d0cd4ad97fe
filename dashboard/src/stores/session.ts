import { defineStore } from 'pinia'
import { ref, watch } from 'vue'

import { rest, whenSignedOut } from '@/api/rest'

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

/** What this screen remembers of its reader: the language, and who acts here; and whether it has signed in. */
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

  /** Whose token this page has signed in with; null where the gateway has no tokens. */
  const token = ref<string | null>(null)
  /** The gateway asks this page to sign in. */
  const signedOut = ref(false)
  whenSignedOut(() => (signedOut.value = true))

  async function look(): Promise<void> {
    const found = await rest.session().catch(() => null)
    if (!found?.name) return
    token.value = by.value = found.name
  }

  async function signIn(secret: string): Promise<void> {
    await rest.signIn(secret)
    // Everything that was refused is asked for again, and nothing of another reader is left.
    location.reload()
  }

  async function signOut(): Promise<void> {
    await rest.signOut().catch(() => null)
    by.value = ''
    location.reload()
  }

  const switchLocale = () => (locale.value = locale.value === 'zh' ? 'en' : 'zh')

  return { locale, by, kiosk, token, signedOut, look, signIn, signOut, switchLocale }
})
