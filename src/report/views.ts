/** What is told of now, keys as published: whole on the control socket and in `sockmon status`, in parts on retained topics of the broker. */

import type { TimeDoubt } from '../core/outage-times.js';
import type { Role } from '../core/policy.js';
import type { Cause } from '../core/records.js';

/** A role as it is published: `stack` is the network. The word is older than the role and stays, automations compare it. */
export type RoleView = 'stack' | 'service';

export function viewRole(role: Role): RoleView {
  return role === 'network' ? 'stack' : 'service';
}

/**
 * absent: not seen alive yet. up. restarting: a script runs. settling: waiting for the resource or for the next attempt.
 * rebooting: a reboot has been ordered. held: recovery has given up or may not act; still watching.
 */
export type ResourceStateName =
  | 'absent'
  | 'up'
  | 'suspect'
  | 'restarting'
  | 'settling'
  | 'blocked'
  | 'rebooting'
  | 'held';

/** How recovery stands as a whole: of all resources the one that is worst off, or a pause of everything. */
export const recoveryStates = [
  'watching',
  'verifying',
  'absent',
  'suspect',
  'blocked',
  'settling',
  'restarting',
  'held',
  'rebooting',
  'paused',
] as const;
export type RecoveryState = (typeof recoveryStates)[number];

export interface SensorView {
  readonly name: string;
  readonly state: 'up' | 'absent' | 'down';
  readonly detail: string;
}

export interface ResourceView {
  readonly role: RoleView;
  readonly state: ResourceStateName;
  /** RFC 3339. */
  readonly since: string;
  /** A sentence: why it is in this state. */
  readonly reason: string;
  readonly outage: string | null;
  readonly attempts: number;
  readonly carrier: boolean | null;
  /** It keeps dying: told as such, not death by death. */
  readonly flapping: boolean;
  /** The outage of something that it needs: its own is a part of that story. */
  readonly root: string | null;
  /** Deliberately left alone until then, by itself or with everything; RFC 3339. */
  readonly paused_until: string | null;
  /** What runs at its death: the script's path, or null. */
  readonly restart: string | null;
  readonly sensors: readonly SensorView[];
}

/** What the owner would look for the next morning, cut short: the whole is in `sockmon history`. Below 4 KiB. */
export interface EvidenceView {
  readonly kernel: readonly string[];
  readonly addresses_before: readonly string[];
  /** null: as before. */
  readonly addresses_after: readonly string[] | null;
  readonly routes_before: readonly string[];
  /** null: as before. */
  readonly routes_after: readonly string[] | null;
}

/** What is not certain, and why. What is certain is left out. */
export interface UncertainView {
  /** unseen: earlier than told, since nobody looked then. unset_clock: by a clock that was not known to be right. */
  readonly began_at?: TimeDoubt;
  readonly ended_at?: TimeDoubt;
  /** The true duration is at least, at most, or about the one that is told. */
  readonly duration_s?: 'at_least' | 'at_most' | 'about';
}

export interface OutageView {
  readonly id: string;
  /** Journal sequence number of the entry that closed it (or opened it, while open). */
  readonly seq: number;
  readonly resource: string;
  readonly role: RoleView;
  readonly began_at: string;
  readonly ended_at: string | null;
  readonly duration_s: number | null;
  /** Where it was alive in between: the part of the duration in which it was down. */
  readonly downtime_s?: number;
  /** In a few words for a person, e.g. `killed by SIGSEGV, core dumped`. */
  readonly cause: string;
  readonly cause_detail: Cause;
  readonly attempts: number;
  readonly outcome: 'open' | 'recovered' | 'forgotten';
  /** began_at or ended_at is not certain. */
  readonly time_uncertain: boolean;
  readonly uncertain?: UncertainView;
  /** The outage that this one was a part of. */
  readonly root: string | null;
  /** It was killed on purpose. */
  readonly drill?: true;
  readonly evidence: EvidenceView | null;
}

/** What changes with a start only. */
export interface Origin {
  readonly node: string;
  readonly version: string;
  readonly started_at: string;
  readonly boot: {
    readonly id: string;
    readonly at: string;
    /** Why the machine was booted, in a sentence; null = the journal cannot tell. */
    readonly reason: string | null;
    /** Whether sockmon ordered it. */
    readonly by: 'sockmon' | 'other' | 'unknown';
  };
}

/** Retained on `…/about`: what seldom changes. */
export interface About extends Origin {
  readonly connection: Omit<ConnectionView, 'pending'>;
}

/** What the resources come to together. */
export interface Bearing {
  readonly at: string;
  /** recovering while any resource of role network is in an outage, or has not come up for 5 minutes since sockmon watches it. */
  readonly status: 'online' | 'recovering';
  readonly recovery: RecoveryState;
  /** Resources that are down and left alone although nobody wanted that. */
  readonly held: readonly string[];
  /** degraded while a sensor cannot work as it should; `notes` says which and why. */
  readonly detection: { readonly quality: 'full' | 'degraded'; readonly notes: readonly string[] };
  /** Id of the last outage of the network itself that is over. */
  readonly last_stack_outage: string | null;
  readonly outages_24h: number;
  readonly outages_total: number;
  /** Share of the time without an outage of role network, 0..100; null = the journal is too young to say (see figures.ts). */
  readonly uptime_24h_pct: number | null;
  readonly uptime_30d_pct: number | null;
  /** Everything is left alone until then, RFC 3339; null = no pause of everything. */
  readonly pause: string | null;
  /** How long a pause lasts that does not say. */
  readonly pause_time_s: number;
  /** What wants a person: a sentence each. Empty = nothing. */
  readonly problems: readonly string[];
  readonly reboot: {
    readonly allowed: boolean;
    readonly detail: string;
    /** How many the budget still has; 0 while rebooting is not allowed. */
    readonly left: number;
    readonly pending: PendingRebootView | null;
  };
}

/** The whole picture. */
export interface Snapshot extends Origin, Bearing {
  readonly resources: Readonly<Record<string, ResourceView>>;
  readonly last_outage: OutageView | null;
}

/** Retained on `…/state`: as small with a thousand resources as with one. Each of them is told by itself, and the last outage too. */
export interface Overview extends Bearing {
  readonly resources: ResourcesView;
  /** Id of the last outage that is over. */
  readonly last_outage: string | null;
}

/** How the network itself is. */
export type Presence = Pick<Overview, 'status' | 'last_stack_outage'>;

/** How the resources stand together. */
export interface ResourcesView {
  readonly watched: number;
  readonly up: number;
  /** Some of those that are not up, in the order of the configuration: at most `longestList`. */
  readonly not_up: Readonly<Record<string, ResourceStateName>>;
  /** Those that are (part of) the network itself. */
  readonly network: Readonly<Record<string, NetworkView>>;
}

export type NetworkView = Pick<ResourceView, 'role' | 'state'> &
  Partial<Pick<ResourceView, 'since' | 'reason' | 'outage' | 'attempts'>>;

/** Names or sentences of a list in `…/state`. */
export const longestList = 20;

/** What there is of a resource whatever state it is in. */
export interface WatchedView {
  readonly id: string;
  readonly role: RoleView;
  /** Whether it has a script that a person may ask for. */
  readonly restartable: boolean;
}

/** A reboot that has been ordered and has not come yet. */
export interface PendingRebootView {
  readonly reason: string;
  readonly ordered_at: string;
  /** How hard a way has been taken by now. */
  readonly level: 'command' | 'force' | 'kernel';
}

/** Added by the reporter, which alone knows. */
export interface ConnectionView {
  readonly state: 'connected' | 'connecting' | 'none';
  readonly broker: string | null;
  readonly protocol: '5' | '3.1.1' | null;
  readonly since: string | null;
  readonly connects: number;
  readonly last_error: string | null;
  /** What the owner has to mend about it, in a sentence; also among the snapshot's problems. */
  readonly problem: string | null;
  /** Journal entries not yet acknowledged by the broker. */
  readonly pending: number;
}
