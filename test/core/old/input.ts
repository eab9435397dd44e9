/** What the machine is told, and what it asks for: two unions that the compiler checks. */
import type { FaultOf } from './detection.js';
import type { Nature, ResourcePolicy } from './policy.js';
import type { CommandAnswer, EarlierRun, Evidence, ReceivedCommand, Run } from './ports.js';
import type { Cause, JournalRecord, RunResult } from './records.js';
import type { RebootLevel } from './state.js';

export interface SensorInput {
  readonly kind: 'sensor';
  readonly resource: string;
  readonly sensor: number;
  readonly state: 'up' | 'absent' | 'down';
  readonly atMs: number;
  /** With `down`: why. With `up`: what a link still misses after its carrier has come back. */
  readonly cause: Cause | null;
  /** Beside the cause: what kind of loss it is. */
  readonly nature: Nature | null;
  readonly detail: string;
  readonly carrier: boolean | null;
  readonly interface: string | null;
  /** It stays when an interface is renamed. */
  readonly interfaceIndex?: number;
  /** Others that could carry the traffic. */
  readonly standby?: readonly string[];
  /** Of IPv4 and IPv6 those that carry traffic, where the loss of one is no death. */
  readonly families?: readonly string[];
  /** With `up`: what is watched is a script of ours for this resource that is running, or a process that it has started. */
  readonly ownRun: boolean;
  /** The run that the monitor thread has started by itself. */
  readonly reflex: string | null;
  /** With `up` after `up`: a living successor had taken its place already, in words. */
  readonly replaced: string | null;
  /** With `down`: what the dead one has left behind and still serves, in words. A change of that alone is a further `down`. */
  readonly servedBy?: string;
  /**
   * With `down`: how long it is borne, in place of what the nature of the loss says, before it counts as a death. `by`: from `atMs` on, who
   * is bringing it back; null: nobody is known to.
   */
  readonly grace?: { readonly ms: number; readonly by: string | null };
  /** With `up` after a grace: somebody has ordered that restart; it is no sign of one that keeps dying. */
  readonly byOrder?: boolean;
}

export type Input =
  | SensorInput
  | { readonly kind: 'cause'; readonly resource: string; readonly sensor: number; readonly cause: Cause }
  | {
      readonly kind: 'run_started';
      readonly run: string;
      readonly atMs: number;
      readonly pid: number;
      /** 0: not known. */
      readonly startTicks: number;
    }
  | {
      readonly kind: 'run_ended';
      readonly run: string;
      readonly atMs: number;
      readonly result: RunResult;
      readonly output: string;
    }
  | {
      readonly kind: 'fault';
      readonly of: FaultOf;
      readonly detail: string;
      /** false: what was told before is over. */
      readonly active: boolean;
    }
  | { readonly kind: 'tick' }
  | { readonly kind: 'command'; readonly command: ReceivedCommand }
  /** cancelled: it was not even tried, because nobody would remember it. */
  | {
      readonly kind: 'reboot_failed';
      readonly intent: string;
      readonly error: string;
      readonly cancelled: boolean;
    }
  /** What was collected for an outage. */
  | {
      readonly kind: 'evidence';
      readonly resource: string;
      readonly outage: string;
      readonly when: 'before' | 'after';
      readonly evidence: Evidence;
    }
  /** There was nothing to kill. */
  | {
      readonly kind: 'drill_failed';
      readonly resource: string;
      readonly command: string;
      readonly error: string;
    }
  /** The journal has taken the records of the last input: what depends on it is looked at again. */
  | { readonly kind: 'review' }
  /** The policy of the context is to be taken up: at start and at a reload. earlier: at start, the scripts of before. */
  | { readonly kind: 'configure'; readonly earlier?: readonly EarlierRun[] };

export type Effect =
  | { readonly do: 'journal'; readonly record: JournalRecord }
  | { readonly do: 'watch'; readonly resource: string; readonly policy: ResourcePolicy }
  | { readonly do: 'unwatch'; readonly resource: string }
  | {
      readonly do: 'arm';
      readonly resource: string;
      readonly run: Run | null;
      readonly natures: readonly Nature[];
    }
  /** unlessAlive: not over what has come back meanwhile by another hand, unseen; that is answered by `run_ended` with `not_needed`. */
  | { readonly do: 'run'; readonly run: Run; readonly unlessAlive: boolean }
  | { readonly do: 'end_run'; readonly run: string }
  | {
      readonly do: 'reboot';
      readonly intent: string;
      readonly level: RebootLevel;
      readonly command: readonly string[];
      /** Nobody asked for it. */
      readonly automatic: boolean;
    }
  /** Kills the process that a resource's sensor watches, on purpose. */
  | { readonly do: 'drill'; readonly resource: string; readonly command: string }
  /** Looks at the kernel's log and the network; comes back as `evidence`. Nothing waits for it. */
  | {
      readonly do: 'collect';
      readonly resource: string;
      readonly outage: string;
      readonly when: 'before' | 'after';
      /** Packet filters too. */
      readonly filters?: true;
      /** And the tasks that the kernel holds. */
      readonly held?: true;
    }
  | { readonly do: 'collect'; readonly resource: string; readonly outage: null; readonly when: 'alive' }
  | { readonly do: 'answer'; readonly answer: CommandAnswer }
  | { readonly do: 'network'; readonly state: 'lost' | 'back' };
