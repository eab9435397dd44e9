/**
 * A Debian machine for daemons, made of this one: a container that systemd boots as PID 1, with this machine's programs and those of
 * an image, a network of its own, and a disk whose changes are thrown away. It may not set the clock. Nothing in it outlives it.
 */
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { repository } from '../paths.js';
import { type Started, start } from '../proc.js';
import { until } from '../wait.js';

const execute = promisify(execFile);

/** What systemd needs, and nothing that this machine would start by itself. */
const bootScript = `set -e
# Without a systemd outside, all containers would share one tree of control groups, and meet each other's units in it.
test -d /run/systemd/system || for tree in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
  test -w $tree/cgroup.procs || continue
  mkdir -p "$tree/$3"
  echo 0 >"$tree/$3/cgroup.procs"
done
cd "$1"
mkdir -p base upper work disk
if test -n "$2"; then
  mkdir -p "$2/upper" "$2/work"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$2/upper,workdir=$2/work" base
else
  mount --bind / base
fi
# A layer may not lie within another one: the image gets an overlay of its own.
mount -t overlay overlay -o lowerdir=base,upperdir=upper,workdir=work disk
rm -rf disk/etc/systemd/system disk/etc/fstab disk/run
mkdir -p disk/etc/systemd/system disk/run
# Not the first boot: that would switch on every service.
echo 55555555555555555555555555555555 >disk/etc/machine-id
name="$3"
shift 3
test -d /run/systemd/system || set -- --keep-unit "$@"
exec systemd-nspawn --quiet --boot --console=pipe --register=no --private-network --directory=disk --machine="$name" "$@"
`;

const network = `ip link add lan0 type veth peer name lan9
ip address add 10.9.0.1/24 dev lan0
ip link set lan9 up
ip link set lan0 up
mkdir -p /run/netns
# It takes /run/nologin away, which says that a machine is on its way up or down.
systemctl start systemd-user-sessions`;

export class Machine {
  private readonly folder = mkdtempSync(join(tmpdir(), 'sockmon-daemons-'));
  private readonly name = `sockmon-daemons-${process.pid}`;
  private machine: Started | null = null;
  private log = '';

  /** @param image A folder with what has been installed over this machine's own programs (image.ts), or null. */
  constructor(private readonly image: string | null) {}

  async boot(): Promise<void> {
    const script = join(this.folder, 'boot');
    writeFileSync(script, bootScript);
    this.machine = start(
      [
        ...['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--'],
        ...['sh', script, this.folder, this.image ?? '', this.name],
        ...['--capability=CAP_NET_ADMIN', '--bind=/dev/net/tun'],
        ...[`--bind-ro=${repository}:/usr/lib/sockmon`, 'systemd.unit=basic.target'],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
      { isContainer: true },
    );
    const { child } = this.machine;
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.log += text;
      });
    const isUp = async (): Promise<boolean> => {
      if (child.exitCode !== null) throw new Error(`the machine ended with ${child.exitCode}:\n${this.log}`);
      const answer = await this.try('systemctl is-system-running');
      return ['running', 'degraded'].includes(answer.trim());
    };
    await until('the machine to be up', isUp, { context: () => this.log, deadlineMs: 60_000, pollMs: 200 });
    await this.sh(network);
  }

  /** Where a path of the machine is, seen from outside. */
  path(inside: string): string {
    return join('/proc', String(this.pid), 'root', inside);
  }

  write(path: string, text: string): void {
    const file = this.path(path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
  }

  /** Runs a script with sh -e inside. @returns its stdout. @throws Error with its stderr. */
  async sh(script: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
    const words = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const command = ['env', ...words, 'sh', '-ec', script];
    const enter = ['--target', String(this.pid), '--all', '--', ...command];
    const { stdout } = await execute('nsenter', enter, { maxBuffer: 1 << 24, timeout: 120_000 });
    return stdout;
  }

  /** Like sh(), for what may fail: its stdout all the same. */
  async try(script: string): Promise<string> {
    try {
      return await this.sh(script);
    } catch (error) {
      return (error as { stdout?: string }).stdout ?? '';
    }
  }

  /** The pid of its PID 1, outside. */
  get pid(): number {
    const nspawn = childOf(this.machine?.pid ?? 0);
    const leader = childOf(nspawn);
    const [outer, inner] = [nspawn, leader].map(pid => readlinkSync(`/proc/${pid}/ns/pid`));
    if (outer === inner) throw new Error('the machine has no PID namespace of its own yet');
    return leader;
  }

  async close(): Promise<void> {
    this.machine?.child.kill('SIGKILL');
    await this.machine?.ended;
    rmSync(this.folder, { recursive: true, force: true });
    await removeGroups(this.name);
  }
}

/** A control group that is empty is removed from its leaves on; rm -r would stumble over its files. */
async function removeGroups(name: string): Promise<void> {
  for (const tree of ['/sys/fs/cgroup/systemd', '/sys/fs/cgroup/unified', '/sys/fs/cgroup']) {
    const group = join(tree, name);
    if (!existsSync(group)) continue;
    await until(`${group} to be empty`, async () => {
      await execute('find', [group, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';']).catch(() => {});
      return !existsSync(group);
    });
  }
}

function childOf(pid: number): number {
  const [child = ''] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
  if (child === '') throw new Error('the machine has not begun to boot yet');
  return Number(child);
}
