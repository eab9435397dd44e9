import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { errorTable } from '../../src/base/errors.js';
import { validate } from '../homeassistant/validator.js';
import { eventually } from '../mqtt/eventually.js';
import { Listener } from '../mqtt/listener.js';
import { skipWithoutMosquitto, startMosquitto } from '../mqtt/mosquitto.js';
import { programIn } from './program.js';

const topic = 'homeassistant/device/sockmon_attic/config';

function configured(t: TestContext, url: string, more = '') {
  const home = programIn(t);
  home.write('restart', '#!/bin/sh\n', 0o755);
  const watch = '{process: {name: nobody-of-this-name}}';
  home.write(
    'sockmon.yaml',
    `node: attic\nresources: {dns: {watch: ${watch}, restart: ./restart}}\nmqtt: {url: "${url}"${more}}\n`,
  );
  return home;
}

it('prints what Home Assistant would be told, without a broker', async t => {
  const { run } = configured(t, 'mqtt://127.0.0.1:9', ', suggested_area: Attic');
  const { status, out, err } = await run('discovery', '--config', 'sockmon.yaml');
  assert.equal(status, 0, err);
  assert.equal(err, `${topic} (retained):\n`);
  assert.deepEqual(validate(topic, out), []);
  const { device, components } = JSON.parse(out);
  assert.equal(device.suggested_area, 'Attic');
  assert.equal(components.restart_dns.platform, 'button');
});

it('says so where there is nothing to tell', async t => {
  const { run } = configured(t, 'mqtt://127.0.0.1:9', ', discovery_prefix: false');
  const { status, err } = await run('discovery', '--config', 'sockmon.yaml');
  assert.equal(status, errorTable.USAGE.exitStatus);
  assert.match(err, /discovery_prefix is false/);
});

it('takes the device away when sockmon does not run, and not before', {
  skip: skipWithoutMosquitto,
}, async t => {
  const broker = await startMosquitto();
  t.after(() => broker.stop());
  const listener = await Listener.on(broker);
  t.after(() => listener.close());
  const { run, start, ready } = configured(t, `mqtt://127.0.0.1:${broker.port}`);
  const daemon = start('run', '--config', 'sockmon.yaml');
  await ready(daemon);
  await eventually('the state', () => listener.last('sockmon/attic/state'));

  const refused = await run('discovery', '--config', 'sockmon.yaml', '--remove');
  assert.equal(refused.status, errorTable.USAGE.exitStatus);
  assert.match(refused.err, /Stop it first/);
  const end = new Promise(resolve => daemon.once('exit', resolve));
  daemon.kill('SIGTERM');
  await end;

  const removed = await run('discovery', '--config', 'sockmon.yaml', '--remove');
  assert.equal(removed.status, 0, removed.err);
  const late = await Listener.on(broker);
  t.after(() => late.close());
  await late.settle();
  const retained = late.heard.filter(({ retain }) => retain).map(message => message.topic);
  assert.deepEqual(retained, []);
});

it('takes a former name away, also while sockmon runs under another, and leaves the present one alone', {
  skip: skipWithoutMosquitto,
}, async t => {
  const broker = await startMosquitto();
  t.after(() => broker.stop());
  const listener = await Listener.on(broker);
  t.after(() => listener.close());
  const former = 'homeassistant/device/sockmon_cellar/config';
  for (const left of [former, 'sockmon/cellar/status', 'sockmon/cellar/state'])
    await listener.publish(left, 'left behind', true);
  const { run, start, ready } = configured(t, `mqtt://127.0.0.1:${broker.port}`);
  const daemon = start('run', '--config', 'sockmon.yaml');
  await ready(daemon);
  await eventually('discovery', () => listener.last(topic));
  const remove = (...more: string[]) => run('discovery', '--config', 'sockmon.yaml', ...more);

  const refused = await remove('--remove', '--node', 'attic');
  assert.equal(refused.status, errorTable.USAGE.exitStatus);
  assert.match(refused.err, /Stop it first/);
  for (const wrong of [
    ['--node', 'cellar'],
    ['--remove', '--node', 'a/b'],
    ['--remove', '--node', ''],
  ])
    assert.equal((await remove(...wrong)).status, errorTable.USAGE.exitStatus, wrong.join(' '));
  const removed = await remove('--remove', '--node', 'cellar');
  assert.equal(removed.status, 0, removed.err);
  assert.match(removed.out, /The device cellar is gone/);
  const late = await Listener.on(broker);
  t.after(() => late.close());
  await late.settle();
  const retained = late.heard.filter(({ retain }) => retain).map(message => message.topic);
  assert.deepEqual(
    retained.filter(name => /cellar/.test(name)),
    [],
  );
  assert.ok(retained.includes(topic));
});

it('says why the broker does not take it', async t => {
  const { run } = configured(t, 'mqtt://127.0.0.1:9');
  const { status, err } = await run('discovery', '--config', 'sockmon.yaml', '--remove');
  assert.equal(status, errorTable.BROKER.exitStatus);
  assert.match(err, /could not be taken from mqtt:\/\/127\.0\.0\.1:9: nothing listens there/);
});
