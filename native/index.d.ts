/**
 * The addon's shape, written by hand: what the C++ monitor offers to TypeScript.
 * Times are milliseconds of CLOCK_BOOTTIME (clock_gettime(2)) with a fraction, stamped in the monitor thread.
 */

/**
 * One sensor: its kind, and the fields of that kind (`kinds()` names them; native/sensors and src/sensors say what they mean). A field of
 * another kind is refused.
 */
export type SensorSpec = {
  readonly kind: string;
  readonly [field: string]: string | number | boolean | null;
};

/** What kind of loss a reason is: native/core/reason.h. */
export type Nature = 'gone' | 'exited' | 'broken' | 'unreachable';

/** Why a process ended, as the kernel told it. */
export type ExitCause =
  | { kind: 'signal'; signal: number; coreDumped: boolean }
  | { kind: 'exit'; code: number }
  | { kind: 'unknown' };

/**
 * What a sensor says now.
 * `absent`: not there, and not seen alive since `watch` (an interface or process that is not there at start is not a death).
 * After an `up` it means, with a reason, that somebody took it down on purpose.
 * `down`: it was up and is not any more. After it only `up` can follow, or another `down` that differs by `servedBy`, or that says after one
 * with `graceMs` what has become of it.
 * `unknown`: only from `watch`, while the first look is still under way (a connection to another machine; a network that the kernel has not
 * told within two seconds): a report follows. stack, link, uplink: `down` with the reason `kernel_locked` may follow, and after it any of these.
 */
export interface SensorReport {
  type: 'sensor';
  resource: string;
  /** Index into the array given to `watch`. */
  sensor: number;
  state: 'up' | 'absent' | 'down' | 'unknown';
  atMs: number;
  /** With state `down`; with `up` what a link still misses after its carrier has come back. */
  reason?: string;
  /** Beside the reason: what kind of loss it is. */
  nature?: Nature;
  /** Of an ended process: the cause where it is known at once; a `cause` event may follow where it is `unknown`. */
  cause?: ExitCause;
  /** process: the pid that is (or was) watched. Absent with `up`: only an activator holds the socket, and nobody serves it now. */
  pid?: number;
  /** process, with `up`: it is in the session of a running script for this resource, or descends from one. Absent: it is not. */
  ownRun?: boolean;
  /**
   * link, uplink: the interface that is (or was) watched, and whether it has a carrier. A change of carrier alone is a report with the same
   * state, and so is a move of the traffic to another interface: another index. The index stays when an interface is renamed.
   */
  interface?: string;
  interfaceIndex?: number;
  carrier?: boolean;
  /** link, uplink: addresses of the interface as `10.0.2.100/24`, global scope only, at the time of the report. */
  addresses?: string[];
  /** uplink: other interfaces with a carrier that a default route leads through, by name. */
  standby?: string[];
  /** uplink with `families: any`: `IPv4`, `IPv6`, those that carry traffic; the loss of one is told after `renewalMs`. */
  families?: string[];
  /** Words for a person: an errno name, a path, what is missing. */
  detail?: string;
  /** The run id of the reflex that this death set off; absent when none was armed. */
  reflex?: string;
  /** With `up` after `up`: what it was has ended or is about to, and a living successor has taken its place. Words for a person. */
  replaced?: string;
  /**
   * With `down`: so long from `atMs` on it does not count as a death, because somebody else is bringing it back (unit) or because it may be
   * renewed (link, uplink: an address or a route). The reflex has not been set off. What becomes of it is told by a further report: `up`, `absent`, or `down` with another grace or none.
   */
  graceMs?: number;
  /**
   * With `down`: a worker that the dead process has left behind with its socket, and that still serves there; words for a person. A change of
   * that alone is a further `down`.
   */
  servedBy?: string;
  /** With `up` after such a `down`: true when somebody has ordered it, so that it says nothing about how often it dies. */
  byOrder?: boolean;
}

/** A sensor would like to know what the kernel does not tell. `advise` answers; it may be asked again at any time. */
export interface Question {
  type: 'question';
  resource: string;
  sensor: number;
  /** The process that has just ended: an answer that still names it is out of date. */
  pid?: number;
}

/** The exit cause of a watched process, learned after its death was reported. */
export interface CauseReport {
  type: 'cause';
  resource: string;
  sensor: number;
  pid: number;
  cause: ExitCause;
}

/** One execution of a script. `argv[0]` is a path; no shell is involved. */
export interface RunSpec {
  /** Chosen by the caller, comes back in every report. */
  id: string;
  argv: string[];
  /** The whole environment of the script. */
  env: Record<string, string>;
  /** Working directory; '/' if not given. */
  cwd?: string;
  /** After this the whole session of the script gets SIGTERM, and SIGKILL `graceMs` later. 0 = never. */
  timeoutMs: number;
  graceMs: number;
  /**
   * Paths, looked for by the monitor thread just before the start: when one exists the script is not started, and run_ended comes
   * with spawnError ECANCELED.
   */
  unlessExists?: string[];
  /**
   * A resource. `run()` looks at each of its sensors just before the start, and does not start the script where all of them find it alive:
   * what has changed is reported then. Has no meaning for a reflex, which is for what has just died.
   */
  unlessAlive?: string;
  /**
   * A file that is there while the script's process lives, for the next sockmon: written by the monitor thread right after the start,
   * mode 0600, and removed when the process has ended. `path` is absolute, in a folder that exists, on a tmpfs. Behind `text` stands a line
   * of decimal numbers: pid, startTicks, start in ms of CLOCK_BOOTTIME, inode of the output pipe.
   */
  runFile?: { path: string; text: string };
}

/** A script that an earlier monitor has started and that goes on. */
export interface AdoptedRun {
  id: string;
  /** What it is run for: a process that it has started is told as its own. */
  resource?: string;
  /** Its process: the leader of its session. */
  pid: number;
  startTicks: number;
  graceMs: number;
  /** From the run file: its output is read on, as far as it still goes into that pipe. */
  outputInode?: number;
  /** Absolute path of its run file, which is removed when it has ended. */
  runFile?: string;
}

export interface RunStarted {
  type: 'run_started';
  id: string;
  pid: number;
  /** Field 22 of proc_pid_stat(5): with the pid and the boot it identifies the process. 0: it could not be read. */
  startTicks: number;
  atMs: number;
  /** errno name: the run file could not be left. */
  runFileError?: string;
  /** True when the monitor thread started it by itself at the moment of death. */
  reflex: boolean;
}

export interface RunEnded {
  type: 'run_ended';
  id: string;
  atMs: number;
  /** Absent when the script could not be started at all. */
  exit?: ExitCause;
  /** errno name when posix_spawn failed, e.g. 'ENOENT', 'EAGAIN'. */
  spawnError?: string;
  /** It had to wait for another script of its resource to end, which was alive by then: not started. */
  notNeeded: boolean;
  timedOut: boolean;
  /** The last 4096 bytes of what it wrote to stdout and stderr, as UTF-8 with replacement characters. */
  output: string;
  outputTruncated: boolean;
}

/** Trouble of the monitor itself: a sensor that cannot work (degraded detection), an errno that should not happen. */
export interface Fault {
  type: 'fault';
  resource?: string;
  sensor?: number;
  code: string;
  detail: string;
  atMs: number;
  /** False: what this sensor was said to lack is over. `code` and `detail` are those of its beginning. */
  active: boolean;
}

export type NativeEvent = SensorReport | CauseReport | Question | RunStarted | RunEnded | Fault;

/** How many of each kind were wrong: in one of two pictures of the network only, or different. */
export interface NetworkDifferences {
  links: number;
  addresses: number;
  routes: number;
  rules: number;
  nexthops: number;
}

/** How the picture of the network has been kept, since the monitor's start. All zero while nothing is watched that needs it. */
export interface NetworkCounters {
  /** Messages of the kernel about links, addresses, default routes, rules and nexthop objects, and how many of them have changed something. */
  messages: number;
  changes: number;
  /** Everything was read anew: at the start, and after messages were lost. */
  reads: number;
  /** How often the kernel had to drop messages. */
  overflows: number;
  /** What the kernel does not tell follows by a rule and is asked for afterwards, and what it then said otherwise. */
  confirmations: number;
  refuted: NetworkDifferences;
  /** Everything was read and compared, and what was wrong. */
  audits: number;
  corrected: NetworkDifferences;
}

export interface WatchRequest {
  readonly resource: string;
  readonly sensors: readonly SensorSpec[];
}

export type WatchOutcome =
  | { readonly reports: SensorReport[]; readonly error: null }
  | { readonly reports: null; readonly error: NodeJS.ErrnoException };

/**
 * One thread with one epoll set. Not restartable: `close()` ends it.
 * Errors are `Error` objects with a string `code`: an errno name, or ERR_SOCKMON_ARGUMENT. ETIMEDOUT: the thread has not answered for
 * 10 s. A fault with code ESHUTDOWN: the thread has ended.
 */
export class Monitor {
  /** Starts the thread; an error of its start is thrown here. `onEvents` gets batches, in order, on the JavaScript thread. */
  constructor(onEvents: (events: NativeEvent[]) => void);
  /**
   * Watches a resource by all of its sensors and returns what each says now, once they are armed in the kernel.
   * Throws EEXIST for an id in use, EMFILE near the limit of file descriptors.
   */
  watch(resource: string, sensors: SensorSpec[]): SensorReport[];
  /** Many at once: what `watch` would have returned or thrown for each, in order. 3,000 take half as long as one by one. */
  watchAll(requests: readonly WatchRequest[]): WatchOutcome[];
  /** Forgets a resource and its reflex. Running scripts go on. */
  unwatch(resource: string): void;
  /** The current report of each sensor, read anew (a stack sensor probes, a link sensor takes what the kernel has told). */
  snapshot(resource: string): SensorReport[];
  /**
   * Arms (or with null disarms) the one-shot reflex of a resource: started by the monitor thread at the next `down` of any of its sensors.
   * A `down` that has already happened does not set it off, nor does one of another nature than those given (default: all).
   */
  armReflex(resource: string, run: RunSpec | null, natures?: readonly Nature[]): void;
  /**
   * Starts a script now, or, where one for the same SOCKMON_RESOURCE still runs, when that has ended, which it is asked to do as by `endRun`.
   * It is the same with a reflex. One that had to wait is not started over what is alive by then (`notNeeded`), unless it is a run without
   * `unlessAlive`. The result comes as run_started and run_ended. False: it was held back by `unlessAlive`, and nothing comes of it.
   */
  run(run: RunSpec): boolean;
  /**
   * Takes over a script of an earlier monitor. True when its process lives: run_ended follows, with an `exit` of kind `unknown` where the
   * kernel does not keep it (before Linux 6.15), and endRun() ends it as any other. No run_started. False when the process has ended, or
   * the pid is another process's by now. Once more with the same id: does nothing.
   */
  adoptRun(run: AdoptedRun): boolean;
  /** Ends the whole session of a running script: SIGTERM, then SIGKILL after its graceMs. No effect if it is over. */
  endRun(id: string): void;
  /**
   * SIGKILL by pidfd to the process that the first process sensor of the resource that has one watches now. False when none is watched.
   * Throws ENOENT for an unknown resource, EPERM.
   */
  kill(resource: string): boolean;
  /**
   * Answers a sensor's `question`, in fields that its kind knows (native/sensors). Throws ENOENT for what is not watched, and
   * ERR_SOCKMON_ARGUMENT for fields of another kind.
   */
  advise(resource: string, sensor: number, advice: Readonly<Record<string, string | number | boolean>>): void;
  /** Does not wait for the thread. */
  network(): NetworkCounters;
  /**
   * Of all interfaces that run, but loopback, as `eth0 192.168.1.10/24`. Read from the kernel by a thread made for it: unlike
   * getifaddrs(3) in the caller's own, it keeps nobody where the kernel's networking is locked up. Throws ETIMEDOUT after a second, and at once
   * while the kernel owes the last answer. Does not wait for the monitor thread.
   */
  addresses(): string[];
  /** Resolves as soon as the thread has turned its loop once; the proof that it is alive. Never rejects, and never resolves if it hangs or has ended. */
  ping(): Promise<void>;
  /** Whether the event loop of Node is kept alive by the monitor (default true). */
  ref(): void;
  unref(): void;
  /** Stops and joins the thread. No event is delivered afterwards. Idempotent. */
  close(): void;
}

/**
 * sync(2) for at most 10 s, then reboot(2) with LINUX_REBOOT_CMD_RESTART; where that has not come back after 20 s, since a driver holds it up,
 * and with `mayReset`, a reset by /proc/sysrq-trigger. Returns only by an exception with the errno name as `code`: EPERM without CAP_SYS_BOOT,
 * and when SOCKMON_TEST_NO_REBOOT is 1; ETIMEDOUT where a driver holds it up.
 * @param mayReset not in a container: that would reset the host.
 */
export function reboot(mayReset: boolean): never;
/** _exit(2): ends the process without waiting for any of its threads. What is to be written must have been. */
export function exitNow(status: number): never;
/** Sends a message of sd_notify(3) to NOTIFY_SOCKET, without waiting. False when that is not set, or nobody takes it. */
export function notify(message: string): boolean;
/**
 * Writes what the pipe, terminal, socket or file takes at once, and never waits for who reads it. Returns the bytes that were taken: 0 for
 * none now, -1 when none will ever be taken (EPIPE, EBADF, ENOSPC, …).
 */
export function writeNow(fd: number, data: Buffer): number;
/** `07:03:12`, local time. Without ICU, whose tables take 2.3 MB. '' for what is no time. Throws ERR_SOCKMON_ARGUMENT. */
export function timeOfDay(wallMs: number): string;
/** Milliseconds of CLOCK_BOOTTIME, with a fraction. */
export function bootTimeMs(): number;
/** Whether the kernel's clock is synchronised: STA_UNSYNC of adjtimex(2) is clear; where that is forbidden, by systemd-timesyncd's file. */
export function clockSynchronized(): boolean;
/** flock(2) LOCK_EX | LOCK_NB on an open file. False when another process holds it. */
export function lockFile(fd: number): boolean;
/** What this kernel offers: `exitInfo` = PIDFD_INFO_EXIT (Linux 6.15+). */
export function capabilities(): { exitInfo: boolean };
/** The kinds of sensors of this addon, with their fields and the nature of each of their reasons. */
export function kinds(): { kind: string; fields: string[]; reasons: Record<string, Nature> }[];
