/**
 * A small machine of its own for sockmon as it is shipped: a container that systemd boots as PID 1, with this machine's programs and
 * nothing else of it. A reboot in there is a real one, of the container. Its own network namespace has a made-up way out.
 */
import { execFile } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { JournalEntry } from '../../src/core/records.js';
import { readJournal } from '../../src/journal/file.js';
import { repository } from '../lab/paths.js';
import { type Started, start } from '../lab/proc.js';
import { until } from '../lab/wait.js';

const run = promisify(execFile);

/** systemd-nspawn(1): the container wishes to be rebooted. */
const wishesReboot = 133;

/** Why there can be no box here, with the remedy; false = there can. */
export function noBox(): string | false {
  if (process.getuid?.() !== 0) return 'a container with a systemd of its own needs root';
  if (which('systemd-nspawn') !== null) return false;
  return 'systemd-nspawn is not installed. On Debian: apt-get install systemd-container';
}

function which(program: string): string | null {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/bin'];
  return folders.map(folder => join(folder, program)).find(existsSync) ?? null;
}

export class Box {
  private readonly root = mkdtempSync(join(tmpdir(), 'sockmon-box-'));
  private machine: Started | null = null;
  private log = '';

  /**
   * @param files By their path in the box, below what every box has; the executable ones begin with #!.
   * @param cgroup The version of control groups in the box; null: as systemd-nspawn finds it right.
   */
  constructor(
    files: Readonly<Record<string, string>>,
    private readonly cgroup: 1 | 2 | null = null,
  ) {
    // mkdtemp(3) lets nobody else in; the message bus is somebody else.
    chmodSync(this.root, 0o755);
    for (const folder of ['usr', 'tmp', 'run', 'proc', 'sys', 'dev', 'root', 'etc', 'var/lib/sockmon'])
      mkdirSync(join(this.root, folder), { recursive: true });
    for (const folder of ['bin', 'sbin', 'lib', 'lib64'])
      if (existsSync(`/usr/${folder}`)) symlinkSync(`usr/${folder}`, join(this.root, folder));
    cpSync('/usr/lib/os-release', join(this.root, 'etc/os-release'));
    const base = {
      'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
      'etc/group': 'root:x:0:\n',
      // Not its first boot: that would switch on every service of this machine.
      'etc/machine-id': `${'5'.repeat(32)}\n`,
      'etc/systemd/system/sockmon.service': shipped('sockmon.service'),
      'etc/systemd/system/sockmon-step@.service': shipped('sockmon-step@.service'),
      'etc/systemd/system/broker.service': `[Unit]
Before=network.target
[Service]
ExecStart=${which('mosquitto')} -c /etc/mosquitto.conf
`,
      'etc/mosquitto.conf': 'user root\nlistener 1883 127.0.0.1\nallow_anonymous true\n',
    };
    for (const [path, text] of Object.entries({ ...base, ...files })) this.write(path, text);
    for (const unit of ['sockmon', 'broker']) this.enable(unit);
  }

  private write(path: string, text: string): void {
    const file = join(this.root, path);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
  }

  enable(unit: string): void {
    const wants = join(this.root, 'etc/systemd/system/multi-user.target.wants');
    mkdirSync(wants, { recursive: true });
    symlinkSync(`../${unit}.service`, join(wants, `${unit}.service`));
  }

  /** Resolves when everything that is to be started has been. */
  async boot(): Promise<void> {
    const hasSystemd = existsSync('/run/systemd/system');
    this.machine = start(
      [
        // What systemd-nspawn has booted outlives it; nothing outlives a PID namespace.
        ...['unshare', '--pid', '--fork', '--kill-child', '--mount-proc', '--'],
        ...['systemd-nspawn', '--quiet', '--boot', '--console=pipe', '--register=no', '--private-network'],
        ...(hasSystemd ? [] : ['--keep-unit']),
        ...[`--directory=${this.root}`, `--machine=sockmon-${process.pid}`],
        // What is bound below /usr needs a place there.
        ...['--overlay=/usr::/usr', `--bind-ro=${repository}:/usr/lib/sockmon`],
        `--bind-ro=${realpathSync(process.execPath)}:/usr/bin/node`,
      ],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...process.env,
          ...(this.cgroup !== null && { UNIFIED_CGROUP_HIERARCHY: String(this.cgroup - 1) }),
        },
      },
      { isContainer: true },
    );
    const { child } = this.machine;
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.log += text;
      });
    let answer = '';
    const isUp = async (): Promise<boolean> => {
      if (child.exitCode !== null) throw new Error(`the box ended with ${child.exitCode}:\n${this.log}`);
      // It fails for all but the first of them, and where there is nobody to answer yet.
      answer = await this.run('systemctl', 'is-system-running').catch(error => error.stdout || error.message);
      return ['running', 'degraded'].includes(answer.trim());
    };
    const context = () => `${answer}\n${this.log}`;
    await until('the box to be up', isUp, { context, deadlineMs: 60_000, pollMs: 200 });
  }

  /** Resolves when the box goes down for a reboot. @throws Error when it ends otherwise. */
  async rebooted(): Promise<void> {
    const { code } = (await this.machine?.ended) ?? {};
    if (code !== wishesReboot) throw new Error(`the box ended with ${code}:\n${this.log}`);
  }

  /** Runs a program in the box. @returns its stdout. */
  async run(...command: readonly string[]): Promise<string> {
    const { stdout } = await run('nsenter', ['--target', String(this.leader()), '--all', '--', ...command]);
    return stdout;
  }

  /** The pid of its PID 1, outside. */
  private leader(): number {
    const nspawn = childOf(this.machine?.pid ?? 0);
    const leader = childOf(nspawn);
    const [outer, inner] = [nspawn, leader].map(pid => readlinkSync(`/proc/${pid}/ns/pid`));
    if (outer === inner) throw new Error('the box has no PID namespace of its own yet');
    return leader;
  }

  /** Units' property, by systemctl show. */
  async show(unit: string, property: string): Promise<string> {
    return (await this.run('systemctl', 'show', `--property=${property}`, '--value', unit)).trim();
  }

  journal(stateDir = 'var/lib/sockmon'): JournalEntry[] {
    return this.has(stateDir) ? [...readJournal(join(this.root, stateDir))] : [];
  }

  entries<T extends JournalEntry['type']>(type: T): Extract<JournalEntry, { type: T }>[] {
    return this.journal().filter((entry): entry is Extract<JournalEntry, { type: T }> => entry.type === type);
  }

  has(path: string): boolean {
    return existsSync(join(this.root, path));
  }

  async close(): Promise<void> {
    this.machine?.child.kill('SIGKILL');
    await this.machine?.ended;
    rmSync(this.root, { recursive: true, force: true });
  }
}

function childOf(pid: number): number {
  const [child = ''] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
  return Number(child);
}

function shipped(name: string): string {
  return readFileSync(join(repository, 'config', name), 'utf8');
}
