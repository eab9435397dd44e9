/** The words of the project as types. The journal's records are defined here once, by zod, and everything else is derived from them. */
import { z } from 'zod';

/** Id of a node or a resource: safe in topics, file names and Home Assistant object ids. */
export const idSchema = z
  .string()
  .regex(/^[a-zA-Z0-9_-]{1,64}$/, 'expected letters, digits, "_" and "-", at most 64');

/** Why a resource died, or how a script ended. */
export const causeSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('signal'), signal: z.string(), coreDumped: z.boolean() }),
  z.object({ kind: z.literal('exit'), code: z.number() }),
  z.object({
    kind: z.literal('link'),
    what: z.enum(['interface_gone', 'interface_down', 'no_address', 'no_default_route', 'no_carrier']),
    interface: z.string(),
  }),
  z.object({ kind: z.literal('probe'), error: z.string() }),
  /** Not a death: somebody asked for a restart. Not counted as an outage. */
  z.object({ kind: z.literal('commanded') }),
  /** It died while sockmon was not running. */
  z.object({ kind: z.literal('unseen') }),
  z.object({ kind: z.literal('unknown') }),
]);
export type Cause = z.infer<typeof causeSchema>;

/** How one run of a script ended. */
export const runResultSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('exit'), code: z.number() }),
  z.object({ kind: z.literal('signal'), signal: z.string() }),
  z.object({ kind: z.literal('timeout') }),
  z.object({ kind: z.literal('not_started'), error: z.string() }),
  /** sockmon itself ended before the script did. */
  z.object({ kind: z.literal('unknown') }),
]);
export type RunResult = z.infer<typeof runResultSchema>;

const outage = z.string();
const resource = idSchema;
/** A moment of the entry's own boot, in ms of CLOCK_BOOTTIME. */
const atMs = z.number();

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
] as const;
export type RefusalCode = (typeof refusalCodes)[number];

export const actions = ['reboot', 'restart', 'pause', 'resume', 'drill'] as const;
export type Action = (typeof actions)[number];

export const recordSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('start'), version: z.string(), pid: z.number(), resources: z.array(resource) }),
  z.object({ type: z.literal('stop'), reason: z.string() }),
  /** First sight of a living resource since start. After it, an absence in the same boot is a death. */
  z.object({ type: z.literal('seen'), resource, atMs, detail: z.string().optional() }),
  z.object({
    type: z.literal('notice'),
    resource,
    atMs,
    what: z.enum([
      'carrier_lost',
      'carrier_back',
      'route_moved',
      'degraded',
      'replaced',
      'flapping',
      'steady',
      'held',
    ]),
    detail: z.string(),
  }),
  z.object({
    type: z.literal('outage_begin'),
    outage,
    resource,
    atMs,
    cause: causeSchema,
    sensor: z.string(),
    /** The open outage of a resource that this one needs: the story's root. */
    root: outage.optional(),
    /** One of many of a flapping resource, which is told as such. */
    quiet: z.boolean().optional(),
    /** Killed on purpose. Not counted. */
    drill: z.boolean().optional(),
  }),
  /** The root of an outage turned out after its begin. */
  z.object({ type: z.literal('outage_root'), outage, resource, root: outage }),
  z.object({ type: z.literal('outage_cause'), outage, resource, cause: causeSchema, sensor: z.string() }),
  z.object({
    type: z.literal('attempt'),
    outage,
    resource,
    attempt: z.number(),
    run: z.string(),
    script: z.string(),
    /** Name of the ladder's step; absent in journals of before there were several. */
    step: z.string().optional(),
    atMs,
    by: z.enum(['reflex', 'ladder', 'command']),
  }),
  z.object({
    type: z.literal('attempt_end'),
    outage,
    resource,
    attempt: z.number(),
    run: z.string(),
    atMs,
    durationMs: z.number(),
    result: runResultSchema,
    output: z.string().optional(),
  }),
  z.object({
    type: z.literal('outage_end'),
    outage,
    resource,
    atMs,
    outcome: z.enum(['recovered', 'forgotten']),
    beganWallMs: z.number(),
    endedWallMs: z.number(),
    durationMs: z.number(),
    timeUncertain: z.boolean(),
    attempts: z.number(),
    cause: causeSchema,
    quiet: z.boolean().optional(),
  }),
  z.object({
    type: z.literal('recovery_failed'),
    outage,
    resource,
    atMs,
    attempts: z.number(),
    next: z.enum(['reboot', 'stay_down']),
    detail: z.string(),
  }),
  z.object({
    type: z.literal('command'),
    id: z.string(),
    action: z.enum(actions).nullable(),
    target: z.string().optional(),
    origin: z.string(),
    status: z.enum(['accepted', 'rejected', 'done', 'failed']),
    code: z.enum(refusalCodes).optional(),
    detail: z.string(),
  }),
  z.object({
    type: z.literal('reboot_intent'),
    intent: z.string(),
    reason: z.string(),
    outage: outage.optional(),
    command: z.string().optional(),
  }),
  /** Rebooting was asked for and the guard said no. */
  z.object({
    type: z.literal('reboot_refused'),
    reason: z.string(),
    code: z.enum(refusalCodes),
    detail: z.string(),
    outage: outage.optional(),
  }),
  /** final false: a harder way will be tried. Absent in older journals: true. */
  z.object({
    type: z.literal('reboot_failed'),
    intent: z.string(),
    error: z.string(),
    final: z.boolean().optional(),
  }),
  /** The machine is still up after the intent: a harder way is taken for the same intent. */
  z.object({ type: z.literal('reboot_forced'), intent: z.string(), level: z.enum(['force', 'kernel']) }),
  /** Deliberate work: nothing is restarted or rebooted until then. In ms of CLOCK_BOOTTIME; a reboot ends it. null = everything. */
  z.object({ type: z.literal('pause'), resource: resource.nullable(), untilMs: z.number() }),
  z.object({ type: z.literal('resume'), resource: resource.nullable() }),
  /** First start after an intent, in another boot. */
  z.object({
    type: z.literal('rebooted'),
    intent: z.string(),
    reason: z.string(),
    tookMs: z.number().nullable(),
  }),
  /** Everything up to and including `upTo` has been acknowledged by the broker. */
  z.object({ type: z.literal('published'), upTo: z.number() }),
]);
export type JournalRecord = z.infer<typeof recordSchema>;
export type RecordOf<T extends JournalRecord['type']> = Extract<JournalRecord, { type: T }>;

/** A record as it stands in the journal: numbered, with both clocks of the moment of writing. */
export const stampSchema = z.object({
  seq: z.number().int().positive(),
  bootId: z.string(),
  bootMs: z.number(),
  wallMs: z.number(),
  synced: z.boolean(),
});
export type Stamp = z.infer<typeof stampSchema>;
export type JournalEntry = Stamp & JournalRecord;
