import type { Params, Reason } from '@/api/types'

/**
 * The wordings of one code, by which parameters they use: `"devices+since": "…"`; `"_"` uses none.
 * A code without an entry is shown as it is, with its parameters: a newer server must never blank an older page.
 */
export type Wordings = Record<string, Record<string, string>>

const has = (params: Params, key: string): boolean => {
  const value = params[key]
  return (
    value !== null && value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0)
  )
}

/** The most telling wording whose parameters are all there. */
export function pickVariant(wordings: Wordings, code: string, params: Params): string | null {
  if (!Object.hasOwn(wordings, code)) return null
  const usable = Object.keys(wordings[code]!)
    .map((variant) => ({ variant, uses: variant === '_' ? [] : variant.split('+') }))
    .filter(({ uses }) => uses.every((key) => has(params, key)))
    .sort((a, b) => b.uses.length - a.uses.length)
  return usable[0]?.variant ?? null
}

/** What a parameter becomes in a sentence: names for ids, the site's time for instants, a span for `…_s`. */
export interface Speaker {
  /** The word or the name that a parameter's text stands for, else the text. */
  word(key: string, text: string): string
  time(at: string): string
  span(seconds: number): string
  list(items: string[]): string
}

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d/

export function sayParam(speaker: Speaker, key: string, value: unknown): string {
  if (Array.isArray(value)) return speaker.list(value.map((item) => sayParam(speaker, key, item)))
  if (typeof value === 'number') return key.endsWith('_s') ? speaker.span(value) : String(value)
  if (typeof value === 'string') return INSTANT.test(value) ? speaker.time(value) : speaker.word(key, value)
  if (typeof value === 'boolean') return String(value)
  return value === null || value === undefined ? '–' : JSON.stringify(value)
}

export function sayParams(speaker: Speaker, params: Params): Record<string, string> {
  return Object.fromEntries(
    Object.entries(params).map(([key, value]) => [key, sayParam(speaker, key, value)]),
  )
}

/** An unknown code, still readable: `code · key: value · key: value`. */
export function sayUnknown(speaker: Speaker, reason: Reason): string {
  const params = Object.entries(sayParams(speaker, reason.params ?? {}))
  return [reason.code, ...params.map(([key, value]) => `${key}: ${value}`)].join(' · ')
}
