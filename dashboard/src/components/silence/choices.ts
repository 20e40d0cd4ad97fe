/** No silence lasts longer. */
export const LONGEST_MS = 30 * 86_400_000

/** The kinds of alerts that there are, in the order of docs/api.md. */
export const ALERT_KINDS = [
  'round_missed',
  'radio_not_called',
  'radio_no_answer',
  'radio_abnormal',
  'gate_forced',
  'gate_fault',
  'no_consent',
  'car_swapped',
  'gate_held_open',
  'command_uncertain',
  'report_raised',
  'record_missing',
  'device_silent',
  'site_silent',
  'gateway_cut_off',
  'notice_undelivered',
] as const
