/** The unit files as systemd's own tools judge them, and the step's wrapper with a systemctl in the test's hand. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { nodeCommand } from '../lab/daemon.js';
import { repository } from '../lab/paths.js';
import { start } from '../lab/proc.js';
import { until } from '../lab/wait.js';
import { needs } from '../native/needs.js';

const skip = needs('systemd-analyze', ['--version']);
const unit = (name: string): string => join(repository, 'config', name);

function scratch(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sockmon-units-'));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function analyze(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
  return stdout + stderr;
}

describe('sockmon.service', () => {
  it('is exposed no more than 3.0', { skip }, () => {
    const words = analyze('security', '--offline=yes', '--threshold=30', unit('sockmon.service'));
    const exposure = Number(/Overall exposure level for sockmon\.service: ([\d.]+)/.exec(words)?.[1]);
    assert.ok(exposure > 0 && exposure <= 3, words);
  });

  for (const name of ['sockmon.service', 'sockmon-step@.service']) {
    it(`${name} is understood by systemd without a complaint`, { skip }, test => {
      // The programs that it names are not installed here.
      const text = readFileSync(unit(name), 'utf8').replace(/^(ExecStart|ExecReload)=\S+/gm, '$1=/bin/true');
      const copy = join(scratch(test), name);
      writeFileSync(copy, text);
      assert.equal(analyze('verify', '--man=no', copy), '');
    });
  }

  it('starts Node with the options of the first line of arm.cjs', () => {
    const [line] = /^ExecStart=.*$/m.exec(readFileSync(unit('sockmon.service'), 'utf8')) ?? [''];
    const given = line.split(' ').filter(word => word.startsWith('--') && word !== '--config');
    assert.deepEqual(
      given,
      nodeCommand.filter(word => word.startsWith('--')),
    );
  });

  it('keeps the bounds that sockmon needs to work', () => {
    const text = readFileSync(unit('sockmon.service'), 'utf8');
    assert.match(text, /^Type=notify$/m);
    assert.match(text, /^Restart=always$/m);
    // A script at work is not undone by a restart of sockmon, and the next one finds it.
    assert.match(text, /^KillMode=process$/m);
    assert.match(text, /^RuntimeDirectoryPreserve=yes$/m);
    assert.match(text, /^After=.*\bsystemd-user-sessions\.service\b/m);
    assert.doesNotMatch(text, /^MemoryDenyWriteExecute=yes/m);
    assert.doesNotMatch(text, /^(PrivateDevices|ProtectKernelLogs)=yes/m);
  });
});

describe('sockmon-step', () => {
  interface Ending {
    readonly start: number;
    readonly code: string;
    readonly status: string;
    /** InvocationID before and after the start; given anew where not said. */
    readonly runs?: readonly [before: string, after: string];
    /** ActiveState before the start. */
    readonly was?: string;
  }

  function prepare(
    test: TestContext,
    ending: Ending,
    starting = '',
  ): { folder: string; env: NodeJS.ProcessEnv } {
    const folder = scratch(test);
    const [before, after] = ending.runs ?? ['a1', 'b2'];
    const systemctl = `#!/bin/sh
echo "$*" >>${folder}/calls
case $* in
  start*) touch ${folder}/started; ${starting} exit ${ending.start} ;;
  *InvocationID*) [ -e ${folder}/started ] && echo ${after} || echo ${before} ;;
  *ActiveState*) echo ${ending.was ?? 'inactive'} ;;
  *ExecMainStatus*) echo ${ending.status} ;;
  *ExecMainCode*) echo ${ending.code} ;;
esac
`;
    writeFileSync(join(folder, 'systemctl'), systemctl, { mode: 0o755 });
    const env = {
      PATH: `${folder}:${process.env.PATH}`,
      RUNTIME_DIRECTORY: folder,
      SOCKMON_RESOURCE: 'tcpip',
      SOCKMON_CAUSE: 'killed "by"\n$(reboot) SIGKILL',
    };
    return { folder, env };
  }

  const veto = { start: 1, code: '1', status: '100' };
  const endings: [what: string, ending: Ending, expected: number][] = [
    ['what the step says when all is well', { start: 0, code: '1', status: '0' }, 0],
    ['the step that asks for no reboot', veto, 100],
    ['the step that has no hope', { start: 1, code: '1', status: '125' }, 125],
    ['a step that was killed', { start: 1, code: '2', status: '9' }, 1],
    ['a unit that systemd does not know', { start: 5, code: '0', status: '0' }, 5],
    ['a start that is refused, not as the run before', { ...veto, runs: ['a1', 'a1'] }, 1],
    ['a start that is refused, of a unit that never ran', { ...veto, runs: ['', ''] }, 1],
    ['the first run of a unit', { ...veto, runs: ['', 'b2'] }, 100],
    ['the run that it finds under way', { ...veto, runs: ['a1', 'a1'], was: 'activating' }, 100],
    ['a service manager that does not answer', { start: 1, code: '', status: '', runs: ['', ''] }, 1],
  ];
  for (const [what, ending, expected] of endings) {
    it(`ends as ${what}`, test => {
      const { folder, env } = prepare(test, ending);
      const { status, stderr } = spawnSync(unit('sockmon-step'), ['net'], { env, encoding: 'utf8' });
      assert.equal(status, expected, stderr);
      assert.match(readFileSync(join(folder, 'calls'), 'utf8'), /^start sockmon-step@net\.service$/m);
    });
  }

  it('hands over what the step is run for, as one harmless line each', test => {
    const { folder, env } = prepare(test, { start: 0, code: '1', status: '0' });
    spawnSync(unit('sockmon-step'), ['net'], { env });
    const lines = readFileSync(join(folder, 'step-net.env'), 'utf8').trim().split('\n');
    assert.equal(lines[0], 'SOCKMON_RESOURCE="tcpip"');
    assert.ok(lines.includes('SOCKMON_CAUSE="killed by(reboot) SIGKILL"'), lines.join('\n'));
    assert.equal(lines.length, 5);
  });

  it('refuses a name that is none', test => {
    const { env } = prepare(test, { start: 0, code: '1', status: '0' });
    for (const name of ['../x', 'a b', '', 'x;reboot'])
      assert.notEqual(spawnSync(unit('sockmon-step'), [name], { env }).status, 0);
  });

  it('stops the step when it is told to end', async test => {
    const { folder, env } = prepare(
      test,
      { start: 0, code: '1', status: '0' },
      'echo $$ >pid; exec sleep 60;',
    );
    const wrapper = start([unit('sockmon-step'), 'net'], { env, stdio: 'ignore', cwd: folder });
    const text = (name: string): string => {
      const file = join(folder, name);
      return existsSync(file) ? readFileSync(file, 'utf8') : '';
    };
    // What stands for the running `systemctl start`.
    const waiting = await until('the start', () => Number(text('pid')) || null);
    test.after(() => process.kill(waiting, 'SIGKILL'));
    wrapper.child.kill('SIGTERM');
    assert.equal((await wrapper.ended).code, 143);
    assert.match(text('calls'), /^stop --no-block sockmon-step@net\.service$/m);
  });
});
