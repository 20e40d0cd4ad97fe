import { describe, expect, it } from 'vitest'

import en from '@/locales/en.json'
import zh from '@/locales/zh.json'
import { KNOWN_POSITIONS, KNOWN_STATUSES } from '@/status/tones'

type Tree = { [key: string]: string | Tree }

function leaves(tree: Tree, path = ''): [string, string][] {
  return Object.entries(tree).flatMap(([key, value]) =>
    typeof value === 'string'
      ? [[`${path}${key}`, value] as [string, string]]
      : leaves(value, `${path}${key} `),
  )
}

const placeholders = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort()

const [chinese, english] = [new Map(leaves(zh)), new Map(leaves(en))]

describe('the words', () => {
  it('are there in both languages, each key of them', () => {
    expect([...chinese.keys()].filter((key) => !english.has(key))).toEqual([])
    expect([...english.keys()].filter((key) => !chinese.has(key))).toEqual([])
  })

  it('speak of the same parameters in both', () => {
    for (const [key, text] of chinese)
      expect(placeholders(text), key).toEqual(placeholders(english.get(key)!))
  })

  it('are none of them empty', () => {
    expect([...chinese, ...english].filter(([, text]) => !text.trim())).toEqual([])
  })

  it('of a reason use the parameters that its variant names', () => {
    for (const group of [zh.reason, zh.finding, en.reason, en.finding]) {
      for (const [code, variants] of Object.entries(group) as [string, Record<string, string>][]) {
        expect(Object.keys(variants), `${code} has a wording without parameters`).toContain('_')
        for (const [variant, text] of Object.entries(variants)) {
          const named = variant === '_' ? [] : variant.split('+').sort()
          expect(placeholders(text), `${code} ${variant}`).toEqual(named)
        }
      }
    }
  })

  it('know every status and position that has a look', () => {
    for (const words of [zh, en]) {
      expect(Object.keys(words.status)).toEqual(expect.arrayContaining(KNOWN_STATUSES))
      expect(Object.keys(words.position)).toEqual(expect.arrayContaining(KNOWN_POSITIONS))
    }
  })
})
