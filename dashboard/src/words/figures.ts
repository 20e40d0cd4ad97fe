/** One thing that a figure says: the key of its words under `figure`, and what they speak of. */
export interface FigurePart {
  key: 'every' | 'times' | 'at_least' | 'after' | 'at' | 'span' | 'night' | 'every_post'
  a: string
  b: string
}

const PARTS: [RegExp, FigurePart['key']][] = [
  [/^every (\d+) ?(s|min|h|d)$/, 'every'],
  [/^(\d+) (?:times )?per (\w+)$/, 'times'],
  [/^>= ?(\d+) per (\w+)$/, 'at_least'],
  [/^>= ?(\d+) after (\d\d:\d\d)$/, 'after'],
  [/^at (\d\d:\d\d(?:, ?\d\d:\d\d)*)$/, 'at'],
  [/^(\d+) ?(s|min|h|d)$/, 'span'],
  [/^(?:at )?night$/, 'night'],
  [/^(?:every|each) post$/, 'every_post'],
]

/** Once in each of these. */
const ADVERBS: Record<string, string> = {
  daily: 'day',
  weekly: 'week',
  monthly: 'month',
  quarterly: 'quarter',
  yearly: 'year',
}

function partOf(text: string): FigurePart | null {
  if (Object.hasOwn(ADVERBS, text)) return { key: 'times', a: '1', b: ADVERBS[text]! }
  for (const [pattern, key] of PARTS) {
    const match = pattern.exec(text)
    if (match) return { key, a: match[1] ?? '', b: match[2] ?? '' }
  }
  return null
}

/**
 * What a figure of the plan says, `every 30 min, night` or `>= 1 per shift`: its words are few, so they are put in both
 * languages. Null where one of them is not known: a rule is shown as it was written rather than in part.
 */
export function readFigure(text: string): FigurePart[] | null {
  const whole = partOf(text)
  if (whole) return [whole]
  const parts = text.split(/, ?/).map(partOf)
  return parts.every((part) => part !== null) ? parts : null
}
