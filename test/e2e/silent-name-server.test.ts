/** A name server that swallows every question holds a thread in getaddrinfo(3) for a minute: nobody else has to wait for that. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Daemon } from '../lab/daemon.js';
import { Namespace } from '../lab/namespace.js';
import { start } from '../lab/proc.js';
import { becomeRoot, skipWithoutLab } from '../lab/root.js';
import { until } from '../lab/wait.js';

await becomeRoot();

/** One question is asked three times, for 20 s each: resolv.conf(5). */
const resolvConf = 'nameserver 127.0.0.1\noptions timeout:20 attempts:3\n';
/** Takes the questions, says that it has, and never answers. */
const nameServer = `require('node:dgram').createSocket('udp4').on('message', () => console.log('asked')).bind(53, '127.0.0.1')`;

test('the end of sockmon does not wait for a name server', { skip: skipWithoutLab() }, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'sockmon-names-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const house = await Namespace.open();
  t.after(() => house.close());
  await house.run(['ip', 'link', 'set', 'lo', 'up']);
  const server = start(house.enter([process.execPath, '-e', nameServer]), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => server.child.kill('SIGKILL'));
  let asked = '';
  server.child.stdout?.on('data', (text: Buffer) => {
    asked += text.toString();
  });
  const names = join(folder, 'resolv.conf');
  const config = join(folder, 'sockmon.yaml');
  const stateDir = join(folder, 'state');
  writeFileSync(names, resolvConf);
  writeFileSync(
    config,
    `state_dir: ${stateDir}\nresources: {stack: {watch: stack}}\nmqtt: {url: "mqtt://broker.test"}\n`,
  );
  // A mount namespace of its own: only sockmon sees this resolv.conf(5).
  const inside = `mount --bind ${names} /etc/resolv.conf && exec "$@"`;
  const daemon = new Daemon({
    enter: argv => house.enter(['unshare', '--mount', 'sh', '-c', inside, 'sh', ...argv]),
    directory: folder,
    stateDir,
    arguments: ['run', '--config', config],
  });
  t.after(() => daemon.kill('SIGKILL'));
  await daemon.watching('stack');
  await until('the look-up', () => asked !== '');
  await daemon.until('the attempt to be over', () => /the name server does not answer/.test(daemon.log));
  const beganMs = performance.now();
  const { code } = await daemon.stop();
  const tookMs = performance.now() - beganMs;
  assert.equal(code, 0, daemon.log);
  // The look-up has most of a minute to go.
  assert.ok(tookMs < 20_000, `${Math.round(tookMs)} ms`);
  assert.match(daemon.log, /sockmon stops: SIGTERM/);
  assert.equal(daemon.entries('stop').length, 1);
});
