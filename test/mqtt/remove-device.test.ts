/** A node's device is taken away: everything retained is emptied, and never more at once than the broker wants to have unacknowledged. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import type { Announced } from '../../src/core/announced.js';
import { inFlightLimit } from '../../src/mqtt/outbox.js';
import { removeDevice } from '../../src/mqtt/remove-device.js';
import { topicsOf } from '../../src/mqtt/topics.js';
import { eventually } from './eventually.js';
import { StandIn } from './stand-in.js';
import { settingsFor } from './telling.js';

const topics = topicsOf('sockmon', 'gw1', 'homeassistant');
const names = Array.from({ length: 40 }, (_, index) => `service-${index}`);
const told: Announced = { entities: [], each: false, resources: names, topic: topics.discovery };
const everything: readonly string[] = [
  topics.discovery ?? '',
  ...names.map(topics.resource),
  ...[topics.status, topics.state, topics.about, topics.lastOutage],
];

/** See Outbox. */
const keptForUrgent = 1;

/** A PUBACK, the same in both versions: its reason code may be left out (MQTT 5, 3.4.2.1). */
function puback(messageId: number): Buffer {
  return Buffer.from([0x40, 2, messageId >> 8, messageId & 0xff]);
}

/** A broker that acknowledges the oldest message once no other one has come for a while. */
async function slowBroker(t: TestContext, receiveMaximum?: number) {
  const held: { messageId: number; socket: Socket }[] = [];
  const seen = { most: 0 };
  const broker = await StandIn.start(t, {
    announces: receiveMaximum === undefined ? {} : { receiveMaximum },
    acknowledges: () => false,
    told: ({ messageId }, _give, socket) => {
      held.push({ messageId: messageId ?? 0, socket });
      seen.most = Math.max(seen.most, held.length);
      release.refresh();
    },
  });
  const release = setInterval(() => {
    const oldest = held.shift();
    oldest?.socket.write(puback(oldest.messageId));
  }, 10);
  t.after(() => clearInterval(release));
  return { broker, seen };
}

describe('the removal of a device', () => {
  for (const protocol of ['5', '3.1.1'] as const)
    it(`empties all that the node has told, by MQTT ${protocol}`, async t => {
      const broker = await StandIn.start(t);
      await removeDevice(settingsFor(broker.port, { protocol }), topics, told);
      assert.deepEqual(broker.published.map(({ topic }) => topic).toSorted(), everything.toSorted());
      assert.deepEqual(new Set(broker.published.map(({ payload }) => payload)), new Set(['']));
      await eventually('the good-bye', () => broker.ends.length > 0);
      assert.equal(broker.ends[0], 'disconnect', 'no will after that');
    });

  it('sends as many at once as the broker says, and no more', async t => {
    const { broker, seen } = await slowBroker(t, 3);
    await removeDevice(settingsFor(broker.port, { protocol: '5' }), topics, told);
    assert.equal(broker.published.length, everything.length);
    assert.equal(seen.most, 3 - keptForUrgent);
  });

  it('sends a broker that says nothing no more than our own bound', async t => {
    const { broker, seen } = await slowBroker(t);
    await removeDevice(settingsFor(broker.port, { protocol: '3.1.1' }), topics, told);
    assert.equal(broker.published.length, everything.length);
    assert.equal(seen.most, inFlightLimit(4, 65_535) - keptForUrgent);
  });

  it('ends with an error that names the broker where the user may not write', async t => {
    const broker = await StandIn.start(t, { hangsUpAt: () => 0x87 });
    const settings = settingsFor(broker.port, { protocol: '5' });
    await assert.rejects(removeDevice(settings, topics, told), {
      code: 'BROKER',
      message: /could not be taken from mqtt:\/\/127\.0\.0\.1.*Check the broker and the user's rights/,
    });
  });
});
