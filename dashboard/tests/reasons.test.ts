import { describe, expect, it } from 'vitest'

import en from '@/locales/en.json'
import { nameIn } from '@/words/names'
import { pickVariant, sayParam, sayParams, sayUnknown, type Speaker } from '@/words/reasons'

const speaker: Speaker = {
  word: (_, text) => ({ 'scanner-3': 'Scanner 3' })[text] ?? text,
  time: (at) => `<${at}>`,
  span: (s) => `${s} seconds`,
  list: (items) => items.join(', '),
}

describe('the wording of a reason', () => {
  it('is the most telling one that has its parameters', () => {
    expect(pickVariant(en.reason, 'no_proof', { devices: ['a'], since: '2026-01-01T00:00:00Z' })).toBe(
      'devices+since',
    )
    expect(pickVariant(en.reason, 'no_proof', { devices: ['a'], since: null })).toBe('devices')
    expect(pickVariant(en.reason, 'no_proof', { devices: [] })).toBe('_')
  })

  it('is none for a code that this page does not know, whatever it is called', () => {
    for (const code of ['eaten_by_dog', 'constructor', '__proto__', 'a.b[c]', '']) {
      expect(pickVariant(en.reason, code, {})).toBeNull()
    }
  })

  it('of an unknown code shows the code and its parameters', () => {
    const reason = {
      code: 'eaten_by_dog',
      params: { device: 'scanner-3', ago_s: 30, at: '2026-01-01T00:00:00Z' },
    }
    expect(sayUnknown(speaker, reason)).toBe(
      'eaten_by_dog · device: Scanner 3 · ago_s: 30 seconds · at: <2026-01-01T00:00:00Z>',
    )
  })

  it('takes parameters of any shape', () => {
    expect(sayParams(speaker, { a: ['scanner-3', 'x'], b: null, c: true, d: { deep: 1 }, n: 3 })).toEqual({
      a: 'Scanner 3, x',
      b: '–',
      c: 'true',
      d: '{"deep":1}',
      n: '3',
    })
    expect(sayParam(speaker, 'x', undefined)).toBe('–')
  })
})

describe('a name', () => {
  it('falls back to the other language, then to the id', () => {
    expect(nameIn('zh', { zh: '东门', en: 'East' }, 'e')).toBe('东门')
    expect(nameIn('en', { zh: '东门' }, 'e')).toBe('东门')
    expect(nameIn('en', null, 'e')).toBe('e')
    expect(nameIn('en', 'Plain', 'e')).toBe('Plain')
  })
})
