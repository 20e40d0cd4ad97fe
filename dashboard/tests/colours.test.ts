import { readFileSync } from 'node:fs'

import { describe, expect, it } from 'vitest'

import { ciede2000, lab, parse, seenBy, VIEWERS, type Rgb } from './ciede2000'

const css = readFileSync(new URL('../src/styles/tokens.css', import.meta.url), 'utf8')
const TONES = ['ok', 'late', 'missed', 'due', 'off']
const token = (name: string) => new RegExp(`--${name}: (#[0-9a-f]{6});`).exec(css)?.[1] ?? ''

const luminance = (rgb: Rgb) => {
  const [r, g, b] = rgb.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)) as Rgb
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
const contrast = (a: string, b: string) => {
  const [x, y] = [luminance(parse(a)), luminance(parse(b))].sort((m, n) => n - m) as [number, number]
  return (x + 0.05) / (y + 0.05)
}

describe('CIEDE2000', () => {
  // Pairs 1, 7, 17 and 25 of Sharma's published test data.
  it.each([
    [[50, 2.6772, -79.7751], [50, 0, -82.7485], 2.0425],
    [[50, 0, 0], [50, -1, 2], 2.3669],
    [[50, 2.5, 0], [73, 25, -18], 27.1492],
    [[60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387], 1.2644],
  ] as [Rgb, Rgb, number][])('%j and %j lie %d apart', (a, b, apart) => {
    expect(ciede2000(a, b)).toBeCloseTo(apart, 4)
  })
})

describe('the five statuses', () => {
  const pairs = TONES.flatMap((a, i) => TONES.slice(i + 1).map((b) => [a, b] as const))

  it.each(VIEWERS)('are at least 16 apart for %s', (viewer) => {
    const apart = pairs.map(([a, b]) => {
      const [x, y] = [lab(seenBy(viewer, parse(token(a)))), lab(seenBy(viewer, parse(token(b))))]
      return { pair: `${a} ${b}`, apart: ciede2000(x, y) }
    })
    expect(apart.filter((one) => one.apart < 16)).toEqual([])
  })

  it.each(TONES)('%s has the same parts as its hex', (tone) => {
    const parts = parse(token(tone)).map((part) => Math.round(part * 255))
    expect(css).toContain(`--${tone}-rgb: ${parts.join(' ')};`)
  })
})

describe('text', () => {
  it.each(['text', 'text-2', 'text-3', 'missed-text', 'ok-text', 'late', 'due'])(
    '%s reads on every ground',
    (ink) => {
      for (const ground of ['ink-0', 'ink-1', 'ink-2', 'ink-3']) {
        expect(contrast(token(ink), token(ground)), `${ink} on ${ground}`).toBeGreaterThanOrEqual(4.5)
      }
    },
  )
})
