import type { Board, Name, SitePlan } from '@/api/types'

export type Locale = 'zh' | 'en'

/** A thing's name in the reader's language, else in the other one, else its id. */
export function nameIn(locale: Locale, name: Name | string | null | undefined, id: string): string {
  if (typeof name === 'string') return name || id
  const [first, second] = locale === 'zh' ? [name?.zh, name?.en] : [name?.en, name?.zh]
  return first || second || id
}

export type NameIndex = ReadonlyMap<string, Name | string>

/** Names by id, of everything that the plan and the board speak of. */
export function indexNames(plan: SitePlan | null, board: Board | null): NameIndex {
  const index = new Map<string, Name | string>()
  const add = (id: string, name: Name | string | null | undefined) => {
    if (name && !index.has(id)) index.set(id, name)
  }
  for (const things of [plan?.people, plan?.posts, plan?.checkpoints, plan?.devices, plan?.routes]) {
    for (const thing of things ?? []) add(thing.id, thing.name)
  }
  for (const round of [...(board?.rounds ?? []), ...(board?.records ?? [])]) {
    add(round.subject, round.name)
    for (const visit of round.visits ?? []) add(visit.checkpoint, visit.name)
  }
  for (const post of board?.radio?.posts ?? []) add(post.post, post.name)
  for (const thing of [...(board?.devices ?? []), ...(board?.gates ?? [])]) add(thing.device, thing.name)
  return index
}
