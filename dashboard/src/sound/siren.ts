import type { Severity } from '@/api/types'

/** What a severity sounds like: tones of [pitch in Hz, start in s, length in s], said again every `everyMs` until acknowledged. */
interface Pattern {
  everyMs: number
  tones: [number, number, number][]
}

export type Cue = Severity | 'lost'

export const PATTERNS: Record<Cue, Pattern> = {
  critical: {
    everyMs: 2_500,
    tones: [
      [988, 0, 0.18],
      [740, 0.24, 0.18],
      [988, 0.48, 0.18],
      [740, 0.72, 0.18],
    ],
  },
  major: {
    everyMs: 10_000,
    tones: [
      [660, 0, 0.22],
      [660, 0.34, 0.22],
    ],
  },
  minor: { everyMs: 60_000, tones: [[523, 0, 0.25]] },
  lost: {
    everyMs: 30_000,
    tones: [
      [392, 0, 0.3],
      [294, 0.36, 0.5],
    ],
  },
}

/** Plays patterns with WebAudio. Browsers let it sound only after a click or a key on the page: until then it is not armed. */
export class Siren {
  private context: AudioContext | null = null

  get armed(): boolean {
    return this.context?.state === 'running'
  }

  async arm(): Promise<void> {
    this.context ??= new AudioContext()
    await this.context.resume()
  }

  play(cue: Cue): void {
    const context = this.context
    if (!context || context.state !== 'running') return
    for (const [pitch, start, length] of PATTERNS[cue].tones) {
      const from = context.currentTime + start
      const oscillator = context.createOscillator()
      const gain = context.createGain()
      oscillator.type = cue === 'critical' ? 'square' : 'sine'
      oscillator.frequency.value = pitch
      gain.gain.setValueAtTime(0, from)
      gain.gain.linearRampToValueAtTime(cue === 'critical' ? 0.25 : 0.35, from + 0.02)
      gain.gain.setValueAtTime(cue === 'critical' ? 0.25 : 0.35, from + length - 0.03)
      gain.gain.linearRampToValueAtTime(0, from + length)
      oscillator.connect(gain).connect(context.destination)
      oscillator.start(from)
      oscillator.stop(from + length)
    }
  }
}
