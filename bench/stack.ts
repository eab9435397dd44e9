/** The lab's real stack: kill of slirp4netns -> script -> TCP works again, by sockmon and by two C programs; and how soon the broker knows. */
import type { Broker } from '../test/lab/broker.js';
import type { Daemon } from '../test/lab/daemon.js';
import { Lab } from '../test/lab/lab.js';
import { run } from '../test/lab/proc.js';
import { until } from '../test/lab/wait.js';
import { cProgram, LineProgram } from './programs.js';
import { interleave, type Row, row } from './stats.js';

const variants = ['sockmon', 'rtnetlink', 'pidfd'] as const;
type Variant = (typeof variants)[number];

/** A death within `every` after a recovery comes soon, which sockmon answers more slowly on purpose. */
const every = '1s';
const restMs = 1200;

type Watcher =
  | { readonly kind: 'sockmon'; readonly daemon: Daemon }
  | { readonly kind: 'rtnetlink' }
  /** Must be given the pid of each new stack. */
  | { readonly kind: 'pidfd'; readonly c: LineProgram };

interface Stand {
  readonly lab: Lab;
  readonly marks: LineProgram;
  readonly probe: LineProgram;
  /** Independent of who restarts: when the default route is back. */
  readonly observer: LineProgram;
  readonly watcher: Watcher;
  recoveredAt: number;
}

interface Samples {
  readonly script: number[];
  readonly tcp: number[];
  readonly told: number[];
}

export async function stackRows(rounds: number, which: { stack: boolean; told: boolean }): Promise<Row[]> {
  const stands = new Map<Variant, Stand>();
  const samples = Object.fromEntries(
    variants.map(variant => [variant, { script: [], tcp: [], told: [] }]),
  ) as unknown as Record<Variant, Samples>;
  const wanted = which.stack ? variants : (['sockmon'] as const);
  try {
    for (const variant of wanted) stands.set(variant, await open(variant));
    await interleave(wanted, rounds, async variant => {
      const stand = stands.get(variant);
      if (stand !== undefined) await oneDeath(stand, samples[variant]);
    });
  } finally {
    for (const stand of stands.values()) await stand.lab.close();
  }
  return rowsOf(samples, which);
}

function rowsOf(
  { sockmon, rtnetlink, pidfd }: Record<Variant, Samples>,
  which: { stack: boolean; told: boolean },
): Row[] {
  const rows: Row[] = [];
  if (which.stack) {
    const byLink = (samples: number[]) => ({ name: 'C on rtnetlink', samples });
    const byPidfd = (samples: number[]) => ({ name: 'C on a pidfd', samples });
    rows.push(
      row("kill of the stack -> script's first line", 'ms', sockmon.script, byLink(rtnetlink.script), {
        kind: 'ratio',
        atMost: 1.3,
      }),
      row("kill of the stack -> script's first line", 'ms', sockmon.script, byPidfd(pidfd.script), null),
      row('kill of the stack -> TCP works again', 'ms', sockmon.tcp, byLink(rtnetlink.tcp), null),
      row('kill of the stack -> TCP works again', 'ms', sockmon.tcp, byPidfd(pidfd.tcp), {
        kind: 'ratio',
        atMost: 0.5,
      }),
    );
  }
  if (which.told) {
    rows.push(
      row('network back -> outage acknowledged by the broker', 'ms', sockmon.told, null, {
        kind: 'value',
        atMost: 50,
      }),
    );
  }
  return rows;
}

async function open(variant: Variant): Promise<Stand> {
  const lab = await Lab.open();
  const fifo = `${lab.directory}/mark`;
  await run(['mkfifo', fifo]);
  const marks = inside(lab, [cProgram('mark_reader'), fifo]);
  await marks.next('armed');
  const broker = await lab.startBroker();
  const probe = inside(lab, [cProgram('tcp_probe'), '10.0.2.2', String(broker.port)]);
  await probe.next('armed');
  const observer = inside(lab, [cProgram('link_watch'), 'tap0']);
  await observer.next('armed');
  return {
    lab,
    marks,
    probe,
    observer,
    watcher: await startWatcher(lab, variant, broker, fifo),
    recoveredAt: 0,
  };
}

function inside(lab: Lab, argv: readonly string[]): LineProgram {
  const program = new LineProgram(lab.namespace.enter(argv));
  lab.onClose(() => program.close());
  return program;
}

async function startWatcher(lab: Lab, variant: Variant, broker: Broker, mark: string): Promise<Watcher> {
  const script = lab.restartScript({ mark });
  if (variant === 'sockmon') {
    const daemon = lab.run({
      log: { level: 'info' },
      resources: { tcpip: lab.resource(script, { every }) },
      mqtt: { url: lab.brokerUrl(broker) },
    });
    await daemon.watching();
    const recorder = await lab.record(broker.port);
    await recorder.until('online', ({ payload }) => payload === 'online');
    await recorder.close();
    return { kind: variant, daemon };
  }
  if (variant === 'rtnetlink') {
    const c = inside(lab, [cProgram('link_watch'), 'tap0', script.path]);
    await c.next('armed');
    return { kind: variant };
  }
  return { kind: variant, c: inside(lab, [cProgram('pidfd_watch'), script.path]) };
}

async function oneDeath(stand: Stand, samples: Samples): Promise<void> {
  const { lab, watcher } = stand;
  await until('the stack to have rested', () => performance.now() - stand.recoveredAt > restMs);
  if (watcher.kind === 'pidfd') {
    watcher.c.send(String(lab.stack.pid()));
    await watcher.c.next('armed');
  }
  const outages = watcher.kind === 'sockmon' ? watcher.daemon.entries('outage_end').length : 0;
  stand.observer.forget();
  const kill = lab.killStack('SIGKILL');
  samples.script.push((await stand.marks.next('mark')) - kill.bootMs);
  stand.probe.send('go');
  samples.tcp.push((await stand.probe.next('connected')) - kill.bootMs);
  const backMs = await stand.observer.next('back');
  if (watcher.kind === 'sockmon')
    samples.told.push((await acknowledged(watcher.daemon, outages + 1)) - backMs);
  await until('the new stack to be written down', () => lab.stack.pid() !== null);
  stand.recoveredAt = performance.now();
}

/** When the broker's acknowledgement of the recovery's event was in the journal. */
async function acknowledged(daemon: Daemon, outages: number): Promise<number> {
  const end = await daemon.entry('outage_end', outages);
  const published = await daemon.until('the broker to acknowledge it', () =>
    daemon.entries('published').find(({ upTo }) => upTo >= end.seq),
  );
  return published.bootMs;
}
