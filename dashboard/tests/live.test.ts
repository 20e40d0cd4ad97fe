import { beforeEach, describe, expect, it } from 'vitest'

import { LiveClient, type Socket } from '@/api/live'
import type { Board, Message } from '@/api/types'

class FakeSocket implements Socket {
  onmessage: ((event: MessageEvent<string>) => void) | null = null
  onclose: ((event: CloseEvent) => void) | null = null
  closed = false
  constructor(readonly path: string) {}
  close() {
    this.closed = true
  }
  say(message: Message | string) {
    this.onmessage?.({
      data: typeof message === 'string' ? message : JSON.stringify(message),
    } as MessageEvent<string>)
  }
  end(code: number) {
    this.onclose?.({ code } as CloseEvent)
  }
}

const now = '2026-01-01T00:00:00.000Z'
const board = { plan_version: 1 } as Board
let sockets: FakeSocket[]
let heard: string[]
let client: LiveClient
const last = () => sockets.at(-1)!

beforeEach(() => {
  sockets = []
  heard = []
  const open = (path: string) => {
    sockets.push(new FakeSocket(path))
    return last()
  }
  client = new LiveClient('river side', open, {
    hello: (message) => heard.push(`hello ${message.build}`),
    board: () => heard.push('board'),
    sections: (sections) => heard.push(`sections ${Object.keys(sections).join()}`),
    now: () => heard.push('now'),
  })
  client.tick(0)
  last().say({ type: 'hello', build: 'b1', site: 'riverside', tz: 'UTC', now })
  last().say({ type: 'snapshot', seq: 41, board })
})

describe('the live stream', () => {
  it('begins with hello and a snapshot, and goes on with deltas', () => {
    last().say({ type: 'delta', seq: 42, now, sections: { alerts: [] } })
    last().say({ type: 'tick', seq: 42, now })
    expect(last().path).toBe('/api/live?site=river+side')
    expect(heard).toEqual(['hello b1', 'board', 'now', 'sections alerts', 'now'])
    expect(client.link).toBe('open')
  })

  it('comes back with since after it was closed, later each time', () => {
    for (const [failure, longest] of [625, 1_250, 2_500, 5_000, 10_000, 10_000].entries()) {
      const from = failure * 100_000
      client.tick(from)
      expect(sockets).toHaveLength(failure + 1)
      last().end(1006)
      expect(client.link).toBe('closed')
      client.tick(from + longest * 0.5)
      expect(sockets).toHaveLength(failure + 1)
      client.tick(from + longest)
    }
    expect(last().path).toBe('/api/live?site=river+side&since=41')
  })

  it('comes back at once enough where a delta is missing', () => {
    last().say({ type: 'delta', seq: 43, now, sections: {} })
    expect(sockets[0]!.closed).toBe(true)
    client.tick(700)
    expect(last().path).toContain('since=41')
  })

  it('notices by the next tick that the last delta is missing', () => {
    last().say({ type: 'tick', seq: 42, now })
    client.tick(700)
    expect(last().path).toContain('since=41')
  })

  it('passes over what it has already and what it cannot read', () => {
    last().say({ type: 'delta', seq: 41, now, sections: { alerts: [] } })
    last().say('{"half":')
    last().say('{"type":"something_new"}')
    expect(heard).toEqual(['hello b1', 'board'])
  })

  it('gives up a connection that has gone silent', () => {
    client.tick(9_000)
    expect(sockets[0]!.closed).toBe(false)
    client.tick(11_000)
    expect(sockets[0]!.closed).toBe(true)
  })

  it('says that the site is unknown', () => {
    last().end(4404)
    expect(client.link).toBe('unknown_site')
  })

  it('stays away once stopped', () => {
    client.stop()
    client.tick(1e9)
    expect(sockets).toHaveLength(1)
  })
})
