/** The access list of docs/MQTT.md, as it stands there, in a real mosquitto. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connectAsync, type MqttClient } from 'mqtt';
import { MqttReporter } from '../../src/mqtt/reporter.js';
import { topicsOf } from '../../src/mqtt/topics.js';
import { eventually } from './eventually.js';
import { type Mosquitto, skipWithoutMosquitto, startMosquitto } from './mosquitto.js';
import { FakeTelling, MemoryLog, settingsFor } from './telling.js';

const doc = readFileSync(fileURLToPath(new URL('../../../docs/MQTT.md', import.meta.url)), 'utf8');
const acl = /```acl\n([\s\S]*?)```/.exec(doc)?.[1] ?? '';
const shared = /```acl-shared\n([\s\S]*?)```/.exec(doc)?.[1] ?? '';
const topics = topicsOf('sockmon', 'gateway', 'homeassistant');
const discovery = topics.discovery ?? '';
const users = ['ha', 'ops', 'gateway', 'nobody'] as const;
type User = (typeof users)[number];

function connectAs(user: string, { port }: Mosquitto): Promise<MqttClient> {
  const options = { protocolVersion: 5, reconnectPeriod: 0, username: user, password: user } as const;
  return connectAsync(`mqtt://127.0.0.1:${port}`, options);
}

/** By mosquitto's own tool. Each user's password is its name. */
function passwords(users: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'sockmon-passwd-'));
  const file = join(folder, 'passwd');
  for (const user of users) {
    const made = spawnSync('mosquitto_passwd', [
      '-b',
      ...(user === users[0] ? ['-c'] : []),
      file,
      user,
      user,
    ]);
    assert.equal(made.status, 0, String(made.stderr));
  }
  const text = readFileSync(file, 'utf8');
  rmSync(folder, { recursive: true });
  return text;
}

describe('the access list in docs/MQTT.md', { skip: skipWithoutMosquitto }, () => {
  let broker: Mosquitto;
  const clients = new Map<User, MqttClient>();
  /** What each user has been given, as `topic payload`. */
  const heard = new Map<User, string[]>();

  before(async () => {
    broker = await startMosquitto({
      lines: ['allow_anonymous false', 'password_file %folder%/passwd', 'acl_file %folder%/acl'],
      files: { acl, passwd: passwords(users) },
    });
    for (const user of users) {
      const client = await connectAs(user, broker);
      clients.set(user, client);
      const list: string[] = [];
      heard.set(user, list);
      client.on('message', (topic, payload) => list.push(`${topic} ${payload}`));
      await client.subscribeAsync('#', { qos: 1 });
    }
  });
  after(async () => {
    for (const client of clients.values()) await client.endAsync(true);
    await broker?.stop();
  });

  async function mayWrite(user: User, topic: string): Promise<boolean> {
    try {
      await clients.get(user)?.publishAsync(topic, 'x', { qos: 1 });
      return true;
    } catch (error) {
      assert.equal((error as { code?: number }).code, 0x87, `${user} ${topic}: ${error}`);
      return false;
    }
  }

  const writes: Record<string, readonly User[]> = {
    [topics.status]: ['gateway'],
    [topics.state]: ['gateway'],
    [topics.about]: ['gateway'],
    [topics.resource('dns')]: ['gateway'],
    [topics.entity('sensor', 'recovery')]: ['gateway'],
    [topics.event]: ['gateway'],
    [topics.lastOutage]: ['gateway'],
    [topics.result('abc-12345')]: ['gateway'],
    [topics.reboot]: ['ha', 'gateway'],
    [topics.run]: ['ha', 'ops', 'gateway'],
    [discovery]: ['ha', 'gateway'],
    [topics.birth ?? '']: ['ha'],
    'sockmon/other/status': [],
    'sockmon/other/state': [],
    'sockmon/other/about': [],
    'sockmon/other/resource/dns': [],
    'sockmon/other/event': [],
    'sockmon/other/result/abc-12345': [],
    'sockmon/other/cmd/reboot': ['ha'],
    'sockmon/other/cmd/run': ['ha', 'ops'],
    'sockmon/gateway/cmd/else': ['gateway'],
    'sockmon/gateway/else': [],
    'homeassistant/device/sockmon_other/config': ['ha'],
    'homeassistant/sensor/sockmon_other/recovery/config': [],
    'homeassistant/light/x/config': [],
    'any/thing': [],
  };
  for (const [topic, expected] of Object.entries(writes)) {
    it(`${topic} may be written by ${expected.join(', ') || 'none of them'}`, async () => {
      const may: User[] = [];
      for (const user of users) if (await mayWrite(user, topic)) may.push(user);
      assert.deepEqual(may, expected);
    });
  }

  it('each reads what it needs and no more', async () => {
    const everything = [
      ['gateway', topics.status],
      ['gateway', topics.state],
      ['gateway', topics.about],
      ['gateway', topics.resource('dns')],
      ['gateway', topics.entity('sensor', 'recovery')],
      ['gateway', topics.event],
      ['gateway', topics.lastOutage],
      ['gateway', topics.result('read-12345')],
      ['gateway', discovery],
      ['ha', topics.birth ?? ''],
      ['ha', topics.reboot],
      ['ops', topics.run],
      ['ha', 'sockmon/other/cmd/run'],
    ] as const;
    for (const [user, topic] of everything) {
      await clients.get(user)?.publishAsync(topic, 'read', { qos: 1 });
    }
    const of = (user: User): string[] =>
      [...new Set(heard.get(user)?.filter(line => line.endsWith(' read')))].map(line => line.slice(0, -5));
    const all = everything.map(([, topic]) => topic as string);
    await eventually('ha has all', () => of('ha').length === all.length);
    await eventually('ops has its own', () => of('ops').length === all.length - 3);
    await eventually('the gateway has its own', () => of('gateway').length === 5);
    assert.deepEqual(of('ha').sort(), [...all].sort());
    assert.deepEqual(of('ops').sort(), all.filter(topic => topic.startsWith('sockmon/')).sort());
    const forGateway = [topics.status, topics.birth ?? '', topics.reboot, topics.run, discovery];
    assert.deepEqual(of('gateway').sort(), forGateway.sort());
    assert.deepEqual(heard.get('nobody'), []);
  });

  it('lets nobody in without a password', async () => {
    for (const login of [{}, { username: 'ha', password: 'wrong' }]) {
      const options = { protocolVersion: 5, reconnectPeriod: 0, ...login } as const;
      await assert.rejects(connectAsync(`mqtt://127.0.0.1:${broker.port}`, options), { code: 0x87 });
    }
  });

  it('is enough for a gateway: it tells, hears, answers and clears without one complaint', async t => {
    const ha = clients.get('ha');
    const telling = new FakeTelling();
    telling.outage();
    const log = new MemoryLog();
    const settings = settingsFor(broker.port, { username: 'gateway', password: 'gateway' });
    const reporter = new MqttReporter({ settings, node: 'gateway', log });
    t.after(() => reporter.stop());
    reporter.start(telling);
    await eventually('all has been told', () => telling.cursor > 0);
    const body = { v: 1, id: 'acl-123456', action: 'pause', issued_at: '2026-01-01T00:00:00Z' };
    await ha?.publishAsync(topics.run, JSON.stringify(body), { qos: 1, retain: true });
    await ha?.publishAsync(topics.reboot, 'PRESS', { qos: 1 });
    await eventually('both were heard', () => telling.commands.length >= 2);
    await eventually('and answered', () =>
      heard.get('ha')?.some(line => line.startsWith(`${topics.result('acl-123456')} {`)),
    );
    await eventually('and cleared', () => heard.get('ha')?.includes(`${topics.run} `));
    assert.equal(telling.commands[0]?.retained, true);
    assert.deepEqual(
      log.lines.filter(({ level }) => level === 'warn' || level === 'error'),
      [],
    );
  });
});

describe('the access list for a broker that others use too', { skip: skipWithoutMosquitto }, () => {
  it('binds the gateway and nobody else', async t => {
    const own = acl.slice(acl.indexOf('user gateway'));
    const names = ['homeassistant', 'addons', 'zigbee2mqtt', 'gateway'];
    const broker = await startMosquitto({
      lines: ['allow_anonymous false', 'password_file %folder%/passwd', 'acl_file %folder%/acl'],
      files: { acl: `${shared}\n${own}`, passwd: passwords(names) },
    });
    t.after(() => broker.stop('SIGKILL'));
    const may: Record<string, boolean[]> = {};
    for (const name of names) {
      const client = await connectAs(name, broker);
      may[name] = [];
      for (const topic of ['zigbee2mqtt/lamp', topics.run, topics.status])
        may[name].push(
          await client.publishAsync(topic, 'x', { qos: 1 }).then(
            () => true,
            () => false,
          ),
        );
      await client.endAsync(true);
    }
    const all = [true, true, true];
    assert.deepEqual(may, {
      homeassistant: all,
      addons: all,
      zigbee2mqtt: all,
      gateway: [false, true, true],
    });
  });
});
