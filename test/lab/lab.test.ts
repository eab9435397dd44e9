import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Lab } from './lab.js';
import { isAlive, pidsWhere } from './proc.js';
import { becomeRoot, skipWithoutLab } from './root.js';
import { until } from './wait.js';

await becomeRoot();

describe('the lab', { skip: skipWithoutLab() }, () => {
  let lab: Lab;
  before(async () => {
    lab = await Lab.open();
  });
  after(() => lab.close());

  const tapExists = async () => (await lab.namespace.run(['ip', '-brief', 'link'])).includes('tap0');

  test('its stack gives the namespace an address and a default route', async () => {
    assert.match(await lab.namespace.run(['ip', '-brief', 'address', 'show', 'tap0']), /10\.0\.2\.100\/24/);
    assert.match(await lab.namespace.run(['ip', 'route']), /^default via 10\.0\.2\.2 dev tap0/m);
  });

  test('its stack can be killed, and the restart script brings the network back after the failures asked for', async () => {
    const script = lab.restartScript({ failures: 1, failureStatus: 7 });
    const kill = lab.killStack('SIGKILL');
    await until('tap0 to disappear', async () => !(await tapExists()));
    await assert.rejects(lab.namespace.run([script.path]), { code: 7 });
    assert.equal(await tapExists(), false);
    await lab.namespace.run([script.path]);
    assert.equal(await tapExists(), true);
    assert.notEqual(lab.stack.pid(), kill.pid);
    const calls = script.calls();
    assert.equal(calls.length, 2);
    assert.ok(calls.every(at => at >= kill.wallMs && at <= Date.now() + 1));
  });

  test('its stack can end with an exit status of its own', async () => {
    const other = await Lab.open();
    try {
      assert.equal(await other.stack.exitStatusOf({ exitStatus: 3 }), 3);
    } finally {
      await other.close();
    }
  });

  test('the broker outside is reached from inside through the stack alone', async () => {
    const broker = await lab.startBroker();
    const recorder = await lab.record(broker.port);
    const publish = [
      'mosquitto_pub',
      '-h',
      '10.0.2.2',
      '-p',
      String(broker.port),
      '-q',
      '1',
      '-t',
      'hello',
      '-m',
      'there',
    ];
    await lab.namespace.run(publish);
    await recorder.until(
      'the message from inside',
      ({ topic, payload }) => topic === 'hello' && payload === 'there',
    );
    lab.killStack('SIGKILL');
    await until('tap0 to disappear', async () => !(await tapExists()));
    await assert.rejects(lab.namespace.run(publish));
  });

  test('nothing is left when it is closed', async () => {
    const other = await Lab.open();
    const { pid } = other.namespace;
    await other.close();
    assert.equal(isAlive(pid), false);
    assert.deepEqual(
      pidsWhere(argv => argv[0] === 'slirp4netns' && argv.includes(String(pid))),
      [],
    );
  });
});
