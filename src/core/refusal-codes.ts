/** Why the guard refuses, as the journal bears it and answers tell it. */
export const refusalCodes = [
  'retained',
  'duplicate',
  'too_soon',
  'rate_limited',
  'stale',
  'expired',
  'clock_unsynced',
  'not_allowed',
  'uptime_floor',
  'budget_exhausted',
  'busy',
  'invalid',
  'unknown_target',
  'hold_off',
  'journal_failed',
  'paused',
  'bad_signature',
] as const;
export type RefusalCode = (typeof refusalCodes)[number];
