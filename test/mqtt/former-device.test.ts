/** A device that is left behind under another name: what the owner is told, and when. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { formerDeviceWords } from '../../src/mqtt/former-device.js';
import { MqttReporter } from '../../src/mqtt/reporter.js';
import { eventually } from './eventually.js';
import { skipWithoutMosquitto, startMosquitto } from './mosquitto.js';
import { FakeTelling, MemoryLog, settingsFor } from './telling.js';

const topicOf = (node: string, prefix = 'homeassistant') => `${prefix}/device/sockmon_${node}/config`;

it('another node is told with the command, another prefix with the topic, and nothing else at all', () => {
  assert.match(formerDeviceWords(topicOf('cellar'), topicOf('attic')) ?? '', /--remove --node cellar$/);
  const moved = formerDeviceWords(topicOf('attic', 'ha'), topicOf('attic')) ?? '';
  assert.match(moved, /mosquitto_pub -r -n -t ha\/device\/sockmon_attic\/config$/);
  assert.doesNotMatch(moved, /--node/, 'that would take the present one away');
  for (const [before, now] of [
    [null, null],
    [null, topicOf('attic')],
    [topicOf('attic'), null],
    [topicOf('attic'), topicOf('attic')],
  ] as const)
    assert.equal(formerDeviceWords(before, now), null);
});

it('it is said at the first start under the new name, and not any more once that is announced', {
  skip: skipWithoutMosquitto,
}, async t => {
  const broker = await startMosquitto();
  t.after(() => broker.stop('SIGKILL'));
  const telling = new FakeTelling();
  const starts: (readonly [string, boolean])[] = [
    ['cellar', false],
    ['cellar', false],
    ['attic', true],
    ['attic', false],
  ];
  for (const [node, isSaid] of starts) {
    const log = new MemoryLog();
    const reporter = new MqttReporter({ settings: settingsFor(broker.port), node, log });
    reporter.start(telling);
    await eventually('it is announced', () => telling.announced().topic === topicOf(node));
    await reporter.stop();
    assert.equal(log.find(/--remove --node cellar/) !== undefined, isSaid, node);
  }
});
