/** `npm start` and `npm run demo` as a user types them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { repository } from '../lab/paths.js';
import { isAlive, pidsWhere, start, statOf } from '../lab/proc.js';
import { until } from '../lab/wait.js';
import { scenario } from './scenario.js';

function script(name: string): string {
  return `${repository}scripts/${name}.mjs`;
}

scenario('start passes arguments, a signal and the exit status on', async lab => {
  const config = lab.writeConfig({ resources: { tcpip: lab.resource(lab.restartScript()) } });
  const front = start(lab.namespace.enter([process.execPath, script('start'), '--config', config]), {
    stdio: 'ignore',
  });
  const daemonPids = () =>
    pidsWhere(argv => argv.some(word => word.endsWith('/arm.cjs')) && argv.includes(config));
  const journalHas = (type: string) => lab.journal().some(entry => entry.type === type);
  await until('sockmon to see its resource alive', () => journalHas('seen'));
  const [pid = 0] = daemonPids();
  front.child.kill('SIGTERM');
  assert.deepEqual(await front.ended, { code: 0, signal: null });
  assert.equal(isAlive(pid), false);
  assert.ok(journalHas('stop'), 'it stopped cleanly');

  const refused = spawnSync(process.execPath, [
    script('start'),
    'check',
    '--config',
    `${lab.directory}/none.yaml`,
  ]);
  assert.equal(refused.status, 78);
});

scenario('demo --json tells the whole story in one object', async () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script('demo'), '--json'], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  const story = JSON.parse(stdout);
  assert.deepEqual(Object.keys(story).sort(), [
    'attempts',
    'cause',
    'detected_ms',
    'killed_at',
    'messages',
    'network_back_ms',
    'published_ms',
    'restart_started_ms',
  ]);
  assert.equal(story.cause, 'killed by SIGKILL');
  assert.equal(story.attempts, 1);
  const times = [0, story.detected_ms, story.restart_started_ms, story.network_back_ms, story.published_ms];
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
    'each step comes after the one before',
  );
  const types = story.messages
    .filter(({ topic }: { topic: string }) => topic.endsWith('/event'))
    .map(({ payload }: { payload: string }) => JSON.parse(payload).event_type);
  assert.deepEqual(types, ['stack_down', 'stack_recovered']);
});

scenario('demo cleans up after Ctrl-C', async () => {
  const demo = start([process.execPath, `${repository}dist/demo/main.js`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  demo.child.stdout?.on('data', chunk => {
    output += chunk;
  });
  await until('the demo to have its stack', () => /outside, on 127/.test(output));
  const started = pidsWhere(() => true).filter(pid => statOf(pid)?.ppid === demo.pid);
  assert.ok(started.length >= 3, 'the namespace, its stack and the broker');
  demo.child.kill('SIGINT');
  assert.equal((await demo.ended).code, 130);
  assert.match(output, /removed again/);
  await until('all that it started to be gone', () => !started.some(isAlive));
});
