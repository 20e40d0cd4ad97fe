import { describe, expect, it } from 'vitest'

import type { Alert } from '@/api/types'
import { byUrgency, cardOf, cardsOf, explainedBy, isCalling, silentSince } from '@/status/alerts'

const alert = (id: string, changes: Partial<Alert> = {}) =>
  ({
    id,
    kind: 'round_missed',
    subject: id,
    state: 'open',
    severity: 'major',
    opened_at: '5',
    ...changes,
  }) as Alert
const ids = (alerts: Alert[]) => alerts.map(({ id }) => id)

describe('the order of alerts', () => {
  it('is what still waits, then the worst, then the newest; the muted ones after the loud, the closed ones last', () => {
    const alerts = [
      alert('closed', { state: 'resolved', severity: 'critical', opened_at: '9' }),
      alert('silenced', { severity: 'critical', opened_at: '9', silenced_by: 's' }),
      alert('seen', { state: 'acknowledged', severity: 'critical', opened_at: '8' }),
      alert('minor', { severity: 'minor', opened_at: '7' }),
      alert('old', { severity: 'critical', opened_at: '1' }),
      alert('new', { severity: 'critical', opened_at: '5' }),
      alert('withdrawn', { state: 'withdrawn', severity: 'minor', opened_at: '4' }),
    ]
    expect(ids(alerts.sort(byUrgency))).toEqual([
      'new',
      'old',
      'minor',
      'seen',
      'silenced',
      'closed',
      'withdrawn',
    ])
  })
})

describe('an alert that is muted', () => {
  it('calls nobody', () => {
    expect(isCalling(alert('a'))).toBe(true)
    expect(isCalling(alert('a', { inhibited_by: 'b' }))).toBe(false)
    expect(isCalling(alert('a', { silenced_by: 's' }))).toBe(false)
    expect(isCalling(alert('a', { state: 'acknowledged' }))).toBe(false)
  })
})

describe('what an outage explains', () => {
  const site = alert('site', { kind: 'site_silent' })
  const scanner = alert('scanner', { kind: 'device_silent', inhibited_by: 'site' })
  const round = alert('round', { inhibited_by: 'scanner' })
  const other = alert('other')
  const alerts = [round, other, scanner, site]

  it('has no card of its own, however far away the cause is', () => {
    expect(ids(cardsOf(alerts))).toEqual(['other', 'site'])
    expect(ids(explainedBy(alerts, site))).toEqual(['round', 'scanner'])
    expect(ids(explainedBy(alerts, scanner))).toEqual(['round'])
    expect(explainedBy(alerts, other)).toEqual([])
  })

  it('has a card where the cause is not on the board, or is over: nothing is hidden', () => {
    expect(cardOf([round], round)).toBe(round)
    const over = alert('scanner', { state: 'resolved' })
    expect(ids(cardsOf([round, over]))).toEqual(['round', 'scanner'])
    const withdrawn = alert('round', { inhibited_by: 'scanner', state: 'withdrawn' })
    expect(ids(cardsOf([withdrawn, over]))).toEqual(['scanner'])
  })

  it('in a circle is shown, and asked about without end by nobody', () => {
    const [a, b] = [alert('a', { inhibited_by: 'b' }), alert('b', { inhibited_by: 'a' })]
    expect(cardsOf([a, b]).length).toBeGreaterThan(0)
    expect(ids(explainedBy([a, b], a))).toEqual(['b'])
  })
})

describe('silent devices', () => {
  it('are those of open outages, since when each of them is', () => {
    const alerts = [
      alert('1', {
        kind: 'device_silent',
        subject: 'scanner-1',
        reason: { code: 'silent', params: { since: 't1' } },
      }),
      alert('2', { kind: 'device_silent', subject: 'scanner-2', state: 'resolved' }),
      alert('3', {
        kind: 'site_silent',
        members: [
          { device: 'scanner-1', at: 't2' },
          { device: 'gate', at: 't2' },
        ],
      }),
    ]
    expect(Object.fromEntries(silentSince(alerts))).toEqual({ 'scanner-1': 't1', gate: 't2' })
  })
})
