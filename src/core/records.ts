/** The words of the project as types. The journal's records are defined here once, as shapes, and everything else is derived from them. */
import {
  array,
  boolean,
  nullable,
  number,
  object,
  oneOf,
  optional,
  ordinal,
  string,
  type TypeOf,
  tagged,
  text,
} from '../base/shape.js';
import { refusalCodes } from './refusal-codes.js';

/** Id of a node or a resource: safe in topics, file names and Home Assistant object ids. */
export const idPattern = /^[a-zA-Z0-9_-]{1,64}$/;
export const idWords = 'letters, digits, "_" and "-", at most 64';
export const idShape = text(value => idPattern.test(value), idWords);

/** What can be missing of an interface. */
export const linkLosses = [
  'interface_gone',
  'interface_down',
  /** A tun or tap whose process has gone. */
  'stack_gone',
  /** What a macvlan or VLAN stands on was taken down. */
  'lower_down',
  'no_address',
  'no_default_route',
  'no_carrier',
] as const;

/** Why a resource died, or how a script ended. */
export const causeShape = tagged('kind', {
  signal: { signal: string, coreDumped: boolean },
  exit: { code: number },
  link: {
    what: oneOf(...linkLosses),
    interface: string,
  },
  probe: {
    error: string,
    /** The interface that carried traffic meanwhile. */
    beside: optional(string),
    /** The packet filters that may be the cause, in words. */
    filter: optional(string),
  },
  /** Of a kind of sensor whose reasons the core does not know, in the words of that kind; `reason` is one of its own. */
  sensor: { reason: string, words: string },
  /** Not a death: somebody asked for a restart. Not counted as an outage. */
  commanded: {},
  /** It died while sockmon was not running. */
  unseen: {},
  unknown: {},
});
export type Cause = TypeOf<typeof causeShape>;

/** How one run of a script ended. */
export const runResultShape = tagged('kind', {
  exit: { code: number },
  signal: { signal: string },
  timeout: {},
  not_started: { error: string },
  /** Not started either: at that moment the resource was alive again. No attempt at all. */
  not_needed: {},
  /** sockmon itself ended before the script did. */
  unknown: {},
});
export type RunResult = TypeOf<typeof runResultShape>;

const outage = string;
const resource = idShape;
/** A moment of the entry's own boot, in ms of CLOCK_BOOTTIME. */
const atMs = number;

export const actions = ['reboot', 'restart', 'pause', 'resume', 'drill', 'pause_time'] as const;
export type Action = (typeof actions)[number];

const announcedShape = {
  /** They have a discovery message each. */
  each: optional(boolean),
  /** Those that have a topic of their own. */
  resources: optional(array(string)),
  /** Of the device's discovery: a node of another name is another device. Absent in older journals. */
  topic: optional(string),
};

export const recordShape = tagged('type', {
  start: { version: string, pid: number, resources: array(resource) },
  stop: {
    reason: string,
    /** Attempts whose scripts go on without sockmon. */
    running: optional(array(object({ resource, attempt: number, run: string }))),
  },
  /** First sight of a living resource since start. After it, an absence in the same boot is a death. */
  seen: {
    resource,
    atMs,
    detail: optional(string),
    /** By which sensors: what others do not see has not died. */
    sensors: optional(string),
    /** false: a link without its carrier. */
    carrier: optional(boolean),
  },
  /** Taken out of the configuration: being absent later is no death. */
  unwatched: { resource },
  notice: {
    resource,
    atMs,
    what: oneOf(
      'carrier_lost',
      'carrier_back',
      'route_moved',
      /** An interface beside the one that carries the traffic, which could carry it. */
      'standby_lost',
      'standby_back',
      /** One of IPv4 and IPv6, where either is enough. */
      'family_lost',
      'family_back',
      'degraded',
      'detection_back',
      'replaced',
      /** On purpose: it is left alone until somebody starts it again. */
      'stopped',
      'flapping',
      'steady',
      'held',
    ),
    detail: string,
    /** What is to be taken for the carrier's state, where that is the notice: one that keeps coming and going counts as gone. */
    carrier: optional(boolean),
  },
  outage_begin: {
    outage,
    resource,
    atMs,
    cause: causeShape,
    sensor: string,
    /** What the resource was to the machine; entries of before do not say it. */
    role: optional(oneOf('network', 'service')),
    /** The open outage of a resource that this one needs: the story's root. */
    root: optional(outage),
    /** One of many of a flapping resource, which is told as such. */
    quiet: optional(boolean),
    /** Killed on purpose. Not counted. */
    drill: optional(boolean),
  },
  /** The root of an outage turned out after its begin. */
  outage_root: { outage, resource, root: outage },
  /** What the owner would look for the next morning. before: as it was last seen alive; after: when it was over. */
  evidence: {
    outage,
    resource,
    when: oneOf('before', 'after'),
    kernel: array(string),
    addresses: array(string),
    routes: array(string),
    /** Packet filters that drop what they do not know; absent where nobody looked for any. */
    filters: optional(array(string)),
    /** Tasks that the kernel holds uninterruptibly; absent likewise. */
    held: optional(array(string)),
  },
  outage_cause: { outage, resource, cause: causeShape, sensor: string },
  attempt: {
    outage,
    resource,
    attempt: number,
    run: string,
    script: string,
    /** Name of the ladder's step; absent in journals of before there were several. */
    step: optional(string),
    atMs,
    by: oneOf('reflex', 'ladder', 'command'),
  },
  /** The process of an attempt: a sockmon that starts in the middle of it knows by it whether it lives. */
  run_started: {
    outage,
    resource,
    run: string,
    /** With its start in clock ticks, field 22 of proc_pid_stat(5): both name a process of this boot. */
    pid: ordinal,
    startTicks: ordinal,
    /** When its session is ended; absent: never. */
    deadlineMs: optional(atMs),
    graceMs: number,
  },
  /** sockmon was itself restarted in the middle of an attempt whose script goes on: it waits for that one and runs no second. */
  run_taken_over: { outage, resource, attempt: number, run: string, pid: ordinal, startedMs: atMs },
  attempt_end: {
    outage,
    resource,
    attempt: number,
    run: string,
    atMs,
    durationMs: number,
    result: runResultShape,
    output: optional(string),
  },
  outage_end: {
    outage,
    resource,
    atMs,
    outcome: oneOf('recovered', 'forgotten'),
    beganWallMs: number,
    endedWallMs: number,
    durationMs: number,
    /** Nobody saw it begin, or end: the times are those of the next look. */
    timeUncertain: boolean,
    /** Which of both; absent in entries of older versions. */
    unseen: optional(oneOf('began', 'ended', 'both')),
    /** Where it began in another boot than it ended in. */
    began: optional(object({ bootId: string, atMs: number })),
    attempts: number,
    cause: causeShape,
    /** false: back, but without its carrier. */
    carrier: optional(boolean),
    quiet: optional(boolean),
    /** By which sensors it was seen to be back, where a script of ours had run. */
    sensors: optional(string),
    /** What came back is the script itself, or a process that it has started. */
    ownRun: optional(boolean),
    /** After a reopening: how long it was alive between begin and end, in all, and how long it was down for the last time. */
    aliveMs: optional(number),
    againMs: optional(number),
  },
  /** What had come back was down again before it was verified: its end is taken back, the same outage goes on. */
  outage_reopened: {
    outage,
    resource,
    atMs,
    cause: causeShape,
    sensor: string,
    /** The end that is taken back. */
    backMs: atMs,
    /** How long it has been alive since the outage began, in all. */
    aliveMs: number,
    /** The run of ours that was at work, or had been a moment before. */
    run: optional(string),
    /** It was over, or nobody knows whether it was: what it may have left in the background has stopped it, or somebody else. */
    inDoubt: optional(boolean),
    quiet: optional(boolean),
  },
  recovery_failed: {
    outage,
    resource,
    atMs,
    attempts: number,
    next: oneOf('reboot', 'stay_down'),
    detail: string,
  },
  command: {
    id: string,
    action: nullable(oneOf(...actions)),
    target: optional(string),
    origin: string,
    status: oneOf('accepted', 'rejected', 'done', 'failed'),
    code: optional(oneOf(...refusalCodes)),
    detail: string,
    /** Judged, not carried out. */
    dryRun: optional(boolean),
  },
  /** Commands from the broker that were refused and answered, and not written down one by one: they came too often. */
  refusals: { code: oneOf(...refusalCodes), count: number, sinceMs: atMs },
  reboot_intent: {
    intent: string,
    reason: string,
    outage: optional(outage),
    command: optional(string),
    /** Where that command came from. */
    origin: optional(string),
  },
  /** Of the monitor itself, not of one resource. active false: it is over. */
  monitor_fault: { code: string, detail: string, active: boolean },
  /** sockmon itself is broken: the monitor thread hangs or has ended. The daemon ends with a status of its own, to be started again. */
  alarm: { what: oneOf('monitor_hangs', 'monitor_ended'), detail: string },
  /** Rebooting was asked for and the guard said no. */
  reboot_refused: {
    reason: string,
    code: oneOf(...refusalCodes),
    detail: string,
    outage: optional(outage),
  },
  /** final false: a harder way will be tried. Absent in older journals: true. cancelled: nothing was tried at all; it does not count. */
  reboot_failed: { intent: string, error: string, final: optional(boolean), cancelled: optional(boolean) },
  /** The machine is still up after the intent: a harder way is taken for the same intent. */
  reboot_forced: { intent: string, level: oneOf('force', 'kernel') },
  /** Deliberate work: nothing is restarted or rebooted until then (ms of CLOCK_BOOTTIME; a reboot ends it). null = everything. */
  pause: { resource: nullable(resource), untilMs: number },
  resume: { resource: nullable(resource) },
  /** How long a pause lasts that does not say. */
  pause_time: { forMs: number },
  /** First start after an intent, in another boot. */
  rebooted: {
    intent: string,
    reason: string,
    tookMs: nullable(number),
  },
  /**
   * What stays at the broker until it is taken away. Of Home Assistant's entities, as `key platform`: leaving one out of a later discovery does
   * not remove it.
   */
  announced: { entities: array(string), ...announcedShape },
  /** Everything up to and including `upTo` has been acknowledged by the broker. */
  published: { upTo: number },
  /** What has left the journal at its compaction: so many outages that counted. What is older than this entry is not complete any more. */
  compacted: { outages: number },
});
export type JournalRecord = TypeOf<typeof recordShape>;
export type RecordOf<T extends JournalRecord['type']> = Extract<JournalRecord, { type: T }>;

/** A record as it stands in the journal: numbered, with both clocks of the moment of writing. */
export const stampShape = object({
  seq: ordinal,
  bootId: string,
  bootMs: number,
  wallMs: number,
  synced: boolean,
  /** Set by a compaction, where what is gone would have added to it: the time that the journal has seen passing until this entry. */
  witnessedMs: optional(number),
});
export type Stamp = TypeOf<typeof stampShape>;
export type JournalEntry = Stamp & JournalRecord;
