/** docs/MQTT.md against what it is about. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { actions } from '../../src/core/records.js';
import { refusalCodes } from '../../src/core/refusal-codes.js';
import { runCommandShape } from '../../src/mqtt/commands.js';
import { MqttReporter } from '../../src/mqtt/reporter.js';
import { topicsOf } from '../../src/mqtt/topics.js';
import { eventually } from './eventually.js';
import { Listener } from './listener.js';
import { skipWithoutMosquitto, startMosquitto } from './mosquitto.js';
import { FakeTelling, MemoryLog, settingsFor } from './telling.js';

const doc = readFileSync(fileURLToPath(new URL('../../../docs/MQTT.md', import.meta.url)), 'utf8');
const examples = [...doc.matchAll(/```sh\n([\s\S]*?)```/g)].map(match => match[1] ?? '');
/** First cells of the table under a heading, split at commas and "or". */
const firstCells = (from: string): string[] =>
  doc
    .slice(doc.indexOf(from))
    .split('\n\n', 1)[0]
    ?.split('\n')
    .slice(2)
    .flatMap(line => line.split('|')[1]?.match(/`[^`]+`/g) ?? [])
    .map(cell => cell.slice(1, -1)) ?? [];

describe('docs/MQTT.md', () => {
  it('names each code, each action and each topic', () => {
    assert.deepEqual(firstCells('| code |').sort(), [...refusalCodes].sort());
    const line = doc.split('\n').find(text => text.startsWith('| `action`')) ?? '';
    assert.deepEqual(
      [...line.matchAll(/`([a-z_]+)`/g)].map(match => match[1]).sort(),
      ['action', ...actions].sort(),
    );
    const topics = topicsOf('sockmon', 'NODE', 'homeassistant');
    const { status, state, about, event, lastOutage, reboot, run, discovery, birth } = topics;
    const each = [topics.result('ID'), topics.resource('ID'), topics.entity('PLATFORM', 'KEY')];
    const all = [status, state, about, event, lastOutage, reboot, run, discovery, birth, ...each];
    assert.deepEqual(firstCells('| topic |').sort(), all.sort());
  });

  it('names each key of a command, and no other is known', () => {
    const keys = firstCells('| key |');
    const value = { v: 1, id: 'doc-12345', action: 'pause', issued_at: '2026-01-31T12:00:00Z' };
    const more = {
      target: 'x',
      expires_at: value.issued_at,
      for: '1m',
      for_s: 1,
      dry_run: true,
      reason: '',
      sig: 'x'.repeat(43),
    };
    assert.deepEqual(runCommandShape({ ...value, ...more }), { ...value, ...more });
    assert.deepEqual(keys.sort(), Object.keys({ ...value, ...more }).sort());
  });

  it('signs a command that is taken for what it says', { skip: skipWithoutMosquitto }, async t => {
    assert.equal(examples.length, 2);
    const folder = mkdtempSync(join(tmpdir(), 'sockmon-key-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const key = 'a key of more than 32 characters, with $igns `and` "quotes"';
    const keyFile = join(folder, 'key');
    writeFileSync(keyFile, `${key}\n`, { mode: 0o600 });
    const broker = await startMosquitto();
    t.after(() => broker.stop());
    const listener = await Listener.on(broker);
    t.after(() => listener.close());
    const telling = new FakeTelling();
    const commands = { key, responsePrefix: 'sockmon/gateway/result/' };
    const settings = settingsFor(broker.port, { commands });
    const reporter = new MqttReporter({ settings, node: 'gateway', log: new MemoryLog() });
    t.after(() => reporter.stop());
    reporter.start(telling);
    await listener.untilLast('sockmon/gateway/status', 'online');
    // The first block is what a person changes; the second is run as it stands.
    const mine = `node=gateway\nbroker='-h ${broker.host} -p ${broker.port}'\nkey_file='${keyFile}'\n`;
    const run = (script: string) => spawnSync('sh', ['-eu', '-c', mine + script], { encoding: 'utf8' });
    assert.deepEqual(run(examples[1] ?? '').stderr, '');
    const [command] = await eventually('the command', () => (telling.commands[0] ? telling.commands : null));
    const { action, target, forMs, detail, signature } = command ?? {};
    assert.deepEqual(
      { action, target, forMs, detail, signature },
      { action: 'pause', target: 'tcpip', forMs: 600_000, detail: 'new cable', signature: 'valid' },
    );
    const asking = (examples[1] ?? '').replace(
      'mosquitto_pub',
      'mosquitto_rr -V 5 -W 10 -e "sockmon/$node/result/me"',
    );
    assert.ok(doc.includes('mosquitto_rr -V 5 -e "sockmon/$node/result/me"'));
    const child = spawnAsync('sh', ['-eu', '-c', mine + asking]);
    assert.equal(JSON.parse(await child).status, 'accepted');
  });
});

/** The reporter must go on meanwhile. */
async function spawnAsync(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(child, 'close');
  return text;
}
