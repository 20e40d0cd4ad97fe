import type { Board, Message } from './types'

/** Past this long without any message the page is stale. */
export const STALE_MS = 6_000
/** Past this long a connection that looks alive is given up and made anew. */
const GIVE_UP_MS = 10_000
const RETRY_MS = [500, 1_000, 2_000, 4_000, 8_000]
const UNKNOWN_SITE = 4404
const SIGNED_OUT = 4401
const FORBIDDEN = 4403

export type Link = 'connecting' | 'open' | 'closed' | 'unknown_site' | 'forbidden' | 'signed_out'

const REFUSALS: Partial<Record<number, Link>> = {
  [UNKNOWN_SITE]: 'unknown_site',
  [FORBIDDEN]: 'forbidden',
  [SIGNED_OUT]: 'signed_out',
}

/** What the client tells its owner. */
export interface LiveEvents {
  hello(message: Extract<Message, { type: 'hello' }>): void
  board(board: Board): void
  sections(sections: Partial<Board>): void
  now(now: string): void
}

export interface Socket {
  onmessage: ((event: MessageEvent<string>) => void) | null
  onclose: ((event: CloseEvent) => void) | null
  close(): void
}

/**
 * The live stream of one site. It holds no timer: its owner calls `tick` with the machine's steady clock, a few times a second.
 *
 * 1. Connect, saying `since` where a board is already held; hello, then a snapshot or the deltas that were missed.
 * 2. Each delta must follow the last one; a gap makes a new connection with `since`, an old one is passed over.
 * 3. A closed connection is made again after a pause that grows; one that has gone silent is closed first.
 */
export class LiveClient {
  link: Link = 'connecting'
  lastHeard = Number.NEGATIVE_INFINITY
  private seq: number | null = null
  private socket: Socket | null = null
  private failures = 0
  private retryAt = 0
  private openedAt = 0
  private machine = 0

  constructor(
    private readonly site: string,
    private readonly connect: (path: string) => Socket,
    private readonly events: LiveEvents,
  ) {}

  tick(machine: number): void {
    this.machine = machine
    if (this.socket === null) {
      if (machine >= this.retryAt) this.start()
    } else if (machine - Math.max(this.lastHeard, this.openedAt) > GIVE_UP_MS) {
      this.drop()
    }
  }

  stop(): void {
    this.detach()
    this.retryAt = Number.POSITIVE_INFINITY
  }

  private start(): void {
    const query = new URLSearchParams({ site: this.site })
    if (this.seq !== null) query.set('since', String(this.seq))
    this.link = 'connecting'
    this.openedAt = this.machine
    const socket = this.connect(`/api/live?${query.toString()}`)
    this.socket = socket
    socket.onmessage = (event) => this.heard(event.data)
    socket.onclose = (event) => this.drop(event.code)
  }

  private detach(): void {
    if (!this.socket) return
    this.socket.onmessage = this.socket.onclose = null
    this.socket.close()
    this.socket = null
  }

  private drop(code?: number): void {
    this.detach()
    this.link = REFUSALS[code ?? 0] ?? 'closed'
    const pause = RETRY_MS[Math.min(this.failures, RETRY_MS.length - 1)] ?? 0
    this.failures += 1
    // Spread out: the pages of a whole building must not come back in the same instant.
    this.retryAt = this.machine + pause * (0.75 + Math.random() / 2)
  }

  private heard(text: string): void {
    let message: Message
    try {
      message = JSON.parse(text) as Message
    } catch {
      return
    }
    this.lastHeard = this.machine
    this.link = 'open'
    switch (message.type) {
      case 'hello':
        this.events.hello(message)
        break
      case 'snapshot':
        this.failures = 0
        this.seq = message.seq
        this.events.board(message.board)
        break
      case 'delta':
        if (this.seq === null || message.seq > this.seq + 1) return this.drop()
        if (message.seq <= this.seq) return
        this.failures = 0
        this.seq = message.seq
        this.events.now(message.now)
        this.events.sections(message.sections)
        break
      case 'tick':
        // A tick tells the last delta's number too: a page that missed one finds out within two seconds.
        if (this.seq === null || message.seq > this.seq) return this.drop()
        this.failures = 0
        this.events.now(message.now)
        break
    }
  }
}
