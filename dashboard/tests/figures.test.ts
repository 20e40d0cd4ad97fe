import { describe, expect, it } from 'vitest'

import { readFigure } from '@/words/figures'

describe('the figures of a plan', () => {
  it.each([
    ['every 60 min', [{ key: 'every', a: '60', b: 'min' }]],
    ['3 per night', [{ key: 'times', a: '3', b: 'night' }]],
    ['>= 1 per shift', [{ key: 'at_least', a: '1', b: 'shift' }]],
    ['>= 3 after 00:00', [{ key: 'after', a: '3', b: '00:00' }]],
    ['at 22:00, 23:30', [{ key: 'at', a: '22:00, 23:30', b: '' }]],
    ['24 h', [{ key: 'span', a: '24', b: 'h' }]],
    [
      'every 30 min, night, every post',
      [
        { key: 'every', a: '30', b: 'min' },
        { key: 'night', a: '', b: '' },
        { key: 'every_post', a: '', b: '' },
      ],
    ],
    [
      'daily, each post',
      [
        { key: 'times', a: '1', b: 'day' },
        { key: 'every_post', a: '', b: '' },
      ],
    ],
  ])('%s is understood', (text, parts) => {
    expect(readFigure(text)).toEqual(parts)
  })

  it('that are not understood to the end stay as they are', () => {
    expect(readFigure('every 30 min, in the rain')).toBeNull()
    expect(readFigure('')).toBeNull()
  })
})
