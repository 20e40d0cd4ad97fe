import { computed } from 'vue'
import { useI18n } from 'vue-i18n'

import type { Name, Reason } from '@/api/types'
import { useLive } from '@/stores/live'
import * as format from '@/time/format'
import { readFigure } from './figures'
import { messages } from './i18n'
import { nameIn, type Locale } from './names'
import { pickVariant, sayParams, sayUnknown, type Speaker, type Wordings } from './reasons'

/** The groups of words that parameters of these names take theirs from. */
const PARAM_WORDS: Record<string, string> = {
  category: 'category',
  cause: 'cause',
  event: 'gate_event',
  by: 'role',
  strength: 'strength',
  needed: 'strength',
}

/** Everything that turns codes, ids and instants into words of the reader's language and times of the site's zone. */
export function useWords() {
  const { t, te, locale: current } = useI18n()
  const live = useLive()
  const locale = computed(() => current.value as Locale)

  const name = (id: string, own?: Name | string | null) => nameIn(locale.value, own ?? live.names.get(id), id)

  const time = (at: format.Instant) => format.clockMinutes(at, live.zone)
  const seconds = (at: format.Instant) => format.clockSeconds(at, live.zone)
  /** The time of day, with the date before it where that is not today. */
  const moment = (at: format.Instant) => {
    const day = format.isoDay(at, live.zone)
    return day === format.isoDay(live.now, live.zone) ? time(at) : `${day.slice(5)} ${time(at)}`
  }
  const span = (ms: number) =>
    format
      .spanParts(ms)
      .map(([n, unit]) => t(`unit.${unit}`, { n }))
      .join(' ')

  const speaker: Speaker = {
    word: (key, text) => {
      const group = PARAM_WORDS[key]
      const said = group ? word(group, text) : text
      return said === text ? name(text) : said
    },
    time,
    span: (s) => span(s * 1000),
    list: (items) => items.join(t('list.separator')),
  }

  /** The word of a code in a group of the locale files, or the code itself. */
  const word = (group: string, code: string) => {
    const key = `${group}.${code}`
    return /^\w+$/.test(code) && te(key) ? t(key) : code
  }

  const worded = (group: 'reason' | 'finding', reason: Reason) => {
    const params = reason.params ?? {}
    const variant = pickVariant(messages[locale.value][group] as Wordings, reason.code, params)
    if (variant === null) return sayUnknown(speaker, reason)
    return t(`${group}.${reason.code}.${variant}`, sayParams(speaker, params))
  }

  /** Roles and people, as a list. */
  const whom = (ids: string[]) =>
    ids
      .map((id) => {
        const role = word('role', id)
        return role === id ? name(id) : role
      })
      .join(t('list.separator'))

  const figure = (text: string) =>
    readFigure(text)
      ?.map(({ key, a, b }) => t(`figure.${key}`, { a, b: word('per', b) }))
      .join(t('list.separator')) ?? text

  const duty = (id: string) => nameIn(locale.value, live.plan?.duties?.find((one) => one.id === id)?.name, id)

  return {
    t,
    speaker,
    locale,
    name,
    time,
    seconds,
    moment,
    span,
    word,
    whom,
    figure,
    duty,
    reason: (reason: Reason) => worded('reason', reason),
    finding: (finding: Reason) => worded('finding', finding),
  }
}
