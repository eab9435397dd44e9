/** What the owner wants: the checked, frozen outcome of the configuration. Durations in milliseconds. */

/**
 * What kind of loss a sensor tells of. gone: it does not exist any more, or was taken down on purpose. exited: its process ended. broken:
 * it is there, but does not work. unreachable: nothing is heard of it. As in native/core/reason.h.
 */
export type Nature = 'gone' | 'exited' | 'broken' | 'unreachable';

const natures: readonly Nature[] = ['gone', 'exited', 'broken', 'unreachable'];

/**
 * How long a loss is borne before it counts as a death. What is there and does not work may be in the middle of something. Of what is
 * unreachable its sensor has waited already, or says itself how long that is borne: an interface without its address or route for `renewal`.
 */
const graceMs: Record<Nature, number> = { gone: 0, exited: 0, broken: 3000, unreachable: 0 };

/** @param sensorsMs what the sensor asks for in place of what the nature says. */
export function graceOf({ fallMs }: ResourcePolicy, nature: Nature, sensorsMs?: number): number {
  return fallMs ?? sensorsMs ?? graceMs[nature];
}

/**
 * At which losses the reflex may act, without anybody being asked. Not where nothing is heard: what lies between may be at fault, and some
 * milliseconds do not matter after half a minute of silence.
 */
export function reflexNatures(policy: ResourcePolicy): readonly Nature[] {
  const { fallMs } = policy;
  if (fallMs !== null) return fallMs === 0 ? natures : [];
  return ['gone', 'exited'];
}

export type FieldValue = string | number | boolean | null;

export type Proof = 'traffic' | 'loopback';

/** One way in which a resource is seen. The core knows no kinds: what a kind means stands in src/sensors. */
export interface Sensor {
  readonly kind: string;
  /** `process slirp4netns`, `link default`, `stack`: how it is called in messages and in the journal. */
  readonly name: string;
  /** Whether what it watches is a process that can be killed for a drill. */
  readonly canKill: boolean;
  /** What is known while it is up: that an interface can carry traffic, or that datagrams pass over loopback. */
  readonly proves?: Proof;
  /** What its native half is given. */
  readonly fields: Readonly<Record<string, FieldValue>>;
}

/** What the monitor takes (native/index.d.ts): the kind beside its fields. */
export type NativeSensor = { readonly kind: string } & Readonly<Record<string, FieldValue>>;

/** One step of the ladder: a script, and how often it is tried before the next one. */
export interface RestartStep {
  /** Unique within its resource; scripts get it as SOCKMON_STEP. */
  readonly name: string;
  /** argv[0] is the absolute path of the script. */
  readonly argv: readonly string[];
  readonly attempts: number;
  /** From the start of one attempt to the start of the next. */
  readonly everyMs: number;
  /** Each wait is this many times the one before, up to ten minutes; 1 = always `everyMs`. */
  readonly backoff: number;
  /** After this the whole session of the script is ended. */
  readonly timeoutMs: number;
  /** From SIGTERM to SIGKILL. */
  readonly graceMs: number;
  /** So many of the journal's last lines are given to the script as SOCKMON_JOURNAL. */
  readonly journalLines: number;
}

export interface Budget {
  readonly max: number;
  readonly perMs: number;
}

/**
 * What a resource is to this machine. network: without it the machine is cut off: its death turns *Stack alive* off, casts doubt on
 * the broker's connection and, where nothing else is said, asks for a reboot. service: anything else, a VPN's interface included.
 */
export const roles = ['network', 'service'] as const;
export type Role = (typeof roles)[number];

export interface ResourcePolicy {
  readonly id: string;
  readonly role: Role;
  readonly sensors: readonly Sensor[];
  /** From the first to the last resort short of a reboot; empty = watch and tell only. */
  readonly steps: readonly RestartStep[];
  /** Ask the guard for a reboot when the steps are used up. */
  readonly rebootWhenFailed: boolean;
  /** Attempts, over all outages; beyond it the resource is held. */
  readonly restartBudget: Budget;
  /** So many deaths in so much time make it one that keeps dying: told as such, not death by death. */
  readonly flapping: Budget;
  /** While one of these resources is down this one is not restarted, and its budget does not run. */
  readonly needs: readonly string[];
  /**
   * How long it must be dead to count as dead: what is replaced within this time is a note. 0 = act at once, by reflex; null = by the nature
   * of its loss, `graceOf`.
   */
  readonly fallMs: number | null;
  /** How long it must be up to count as back. */
  readonly riseMs: number;
  /** How long it must stay alive after it is back, and after our own script is over, until its next death is one of its own. */
  readonly settleMs: number;
}

/** The pace of its first step: within it a death after a recovery counts as one that came soon. */
export function everyMs(policy: ResourcePolicy): number {
  return policy.steps[0]?.everyMs ?? 0;
}

export interface RebootPolicy {
  /** Nothing reboots unless the owner says so. */
  readonly allowed: boolean;
  readonly command: readonly string[];
  /** No reboot, asked for by anyone, before the machine has been up this long. */
  readonly minUptimeMs: number;
  readonly budget: Budget;
  /** The waits after the first, second, ... reboot within the budget's time; the last one goes on. */
  readonly holdOffMs: readonly number[];
  /** When the machine is still up 5 minutes after the command; null = straight to reboot(2). */
  readonly forceCommand: readonly string[];
}

/** What comes from the broker. */
export interface CommandPolicy {
  readonly enabled: boolean;
  /** With a key: whether what Home Assistant sends is taken unsigned all the same. */
  readonly allowPress: boolean;
}

export interface Policy {
  readonly resources: readonly ResourcePolicy[];
  readonly reboot: RebootPolicy;
  readonly commands: CommandPolicy;
}

export interface MqttSettings {
  /** mqtt://, mqtts://, ws://, wss:// or mqtt+unix://. Without user and password: those have fields of their own. */
  readonly url: string;
  readonly username: string | null;
  /** What stood in the file or the systemd credential at the start. Never logged. */
  readonly password: string | null;
  readonly tls: {
    /** PEM contents. null = the system's certificate authorities. */
    readonly ca: Buffer | null;
    readonly cert: Buffer | null;
    readonly key: Buffer | null;
    readonly servername: string | null;
  };
  /** Absolute paths of what password and tls were read from; read again at each attempt to connect. null = none. */
  readonly secretFiles: {
    readonly password: string | null;
    readonly ca: string | null;
    readonly cert: string | null;
    readonly key: string | null;
  };
  /** 'auto': MQTT 5, and 3.1.1 where the broker refuses it. */
  readonly protocol: 'auto' | '5' | '3.1.1';
  readonly clientId: string;
  readonly keepaliveS: number;
  /** First topic level, default 'sockmon'. */
  readonly base: string;
  /** Home Assistant's discovery prefix, default 'homeassistant'; null = no discovery. */
  readonly discoveryPrefix: string | null;
  /** Where Home Assistant puts the device at first; null = nowhere. */
  readonly suggestedArea: string | null;
  readonly commands: {
    /** What signed commands are signed with; null = none is. Never logged. */
    readonly key: string | null;
    /** Answers also go to a command's own response topic where it begins with this; null = never. */
    readonly responsePrefix: string | null;
  };
}

export interface Config {
  readonly node: string;
  /** Absolute path of the folder of the journal and the control socket. */
  readonly stateDir: string;
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly format: 'text' | 'json' };
  readonly policy: Policy;
  /** null = no broker. 'embedded' = start one in this process on loopback, at this port. */
  readonly mqtt: MqttSettings | null;
  readonly embeddedBroker: { readonly host: string; readonly port: number } | null;
}

/** By which sensors a resource is seen: what others do not see has not died. */
export function sensorsWords(policy: ResourcePolicy): string {
  return policy.sensors.map(({ name }) => name).join(', ');
}
/** A configuration as it has been read. */
export interface Loaded {
  readonly config: Config;
  /** What works but should be changed, a sentence each. */
  readonly warnings: readonly string[];
  /** Absolute paths of the configuration files. */
  readonly files: readonly string[];
}
