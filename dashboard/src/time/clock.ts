/** The server's clock, carried on by the machine's steady one between two messages. In a demonstration it runs `speed` times as fast. */
export class ServerClock {
  private base = Number.NaN
  private at = 0
  private speed = 1

  set(now: string, machine: number, speed = this.speed): void {
    const parsed = Date.parse(now)
    if (Number.isNaN(parsed)) return
    this.base = parsed
    this.at = machine
    this.speed = speed > 0 ? speed : 1
  }

  /** Milliseconds since the epoch, or NaN while no server has told the time yet. */
  read(machine: number): number {
    return this.base + (machine - this.at) * this.speed
  }
}
