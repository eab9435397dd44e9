/**
 * A host of the test's own: network, mount, PID and UTS namespaces, in which the clients of scripts/clients.mjs are found in /usr, and /etc,
 * /run and /var/lib are thrown away. Whatever is started in it ends with it, and nothing that it does reaches this machine.
 */
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { repository } from '../lab/paths.js';
import { run, start } from '../lab/proc.js';
import { until } from '../lab/wait.js';
import { atEnd } from '../native/helpers.js';
import { needsNetworkNamespaces } from '../native/needs.js';

const execute = promisify(execFile);

/** For node:test's `skip`. @throws where skipping is forbidden. */
export function needsClients(): string | false {
  const reason = needsNetworkNamespaces();
  if (reason !== false) return reason;
  if (process.getuid?.() === 0) return false;
  if (process.env.SOCKMON_TEST_NO_SKIP === '1') throw new Error('The tests with clients need root.');
  return 'NOT RUN: the tests with clients need root';
}

let clients: string | undefined;
/** scripts/test.mjs has fetched them before the clock of a test runs. */
function clientsFolder(): string {
  if (clients !== undefined) return clients;
  const script = join(repository, 'scripts', 'clients.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${stderr}\nThe clients could not be provided.`);
  clients = stdout.trim();
  return clients;
}

/** $1: the folder of the clients. Ends with a loop that reaps whoever is left without a parent. */
const boot = `
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib
mkdir -p /run/etc /run/lock /run/dbus /run/wireguard /var/lib/dhcp /var/lib/dhcpcd
touch /var/lib/dhcp/dhclient.leases
cp -a /etc/. "$1/etc/." /run/etc
mount --bind /run/etc /etc
grep -q '^dhcpcd:' /etc/passwd || echo 'dhcpcd:x:65533:65533::/run/empty:/usr/sbin/nologin' >>/etc/passwd
mkdir /run/empty
mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr
# Of this network, and read-only: so nobody waits for a udev that is not there.
mount -t sysfs -o ro sysfs /sys
ip link set lo up
echo ready
while :; do sleep 1000 & wait; done
`;

export class Host {
  /** @param pid Of its PID 1, as it is outside. */
  constructor(readonly pid: number) {}

  static async open(test: TestContext): Promise<Host> {
    const namespaces = ['--net', '--mount', '--pid', '--uts', '--fork', '--kill-child', '--mount-proc'];
    const holder = start(['unshare', ...namespaces, '--', 'sh', '-ec', boot, 'sh', clientsFolder()], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: '/',
    });
    atEnd(test, () => holder.child.kill('SIGKILL'));
    let said = '';
    for (const stream of [holder.child.stdout, holder.child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
    await until('the host to be ready', () => said.includes('ready\n') || holder.child.exitCode !== null, {
      context: () => said,
    });
    if (!said.includes('ready\n')) throw new Error(`the host could not be made:\n${said}`);
    const [pid = ''] = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8').split(' ');
    return new Host(Number(pid));
  }

  /** Runs a script with sh -e inside, in /run. @returns its stdout. @throws Error with its stderr. */
  async sh(script: string): Promise<string> {
    const enter = ['--target', String(this.pid), '--net', '--mount', '--pid', '--uts', '--', 'sh', '-ec'];
    const { stdout } = await execute('nsenter', [...enter, `cd /run\n${script}`], { timeout: 60_000 });
    return stdout;
  }

  /** Like sh(), for a question whose answer may be no. */
  async is(condition: string): Promise<boolean> {
    return (await this.sh(`if ${condition}; then echo yes; fi`)) !== '';
  }

  async until(what: string, condition: string): Promise<void> {
    await until(what, () => this.is(condition), { pollMs: 100, context: () => this.story() });
  }

  /** Starts what stays in the foreground; its output goes to /run/NAME.log. */
  async start(name: string, command: string): Promise<void> {
    await this.sh(`setsid ${command} >>${name}.log 2>&1 </dev/null & echo $! >${name}.group`);
  }

  /** Sends a signal to what was started under this name, and to what that has started. */
  async signal(name: string, signal: NodeJS.Signals): Promise<void> {
    await this.sh(`kill -s ${signal.slice(3)} -- "-$(cat ${name}.group)"`);
  }

  /** Ends it, and waits for that. */
  async stop(name: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.signal(name, signal);
    await this.until(`the end of ${name}`, `! kill -0 -- "-$(cat ${name}.group)" 2>/dev/null`);
  }

  /** The command line that runs a program with the network of this host and everything else of this machine's. */
  enter(argv: readonly string[]): string[] {
    return ['nsenter', '--target', String(this.pid), '--net', '--', ...argv];
  }

  async outside(script: string): Promise<void> {
    await run(this.enter(['sh', '-ec', script]));
  }

  /** For a person who looks for a fault. */
  private story(): string {
    const script = 'ip address; ip route; ip -6 route; tail -n 40 /run/*.log';
    const enter = ['--target', String(this.pid), '--net', '--mount', '--', 'sh', '-c', script];
    return spawnSync('nsenter', enter, { encoding: 'utf8' }).stdout;
  }
}
