/** What is told is cut to what the broker takes and Home Assistant keeps, from the whole to the shortest. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { attributesAtMostBytes, fitting, outageForms, resourceForms } from '../../src/mqtt/fitting.js';
import { outageView, resourceView } from './telling.js';

const topic = 'sockmon/gw1/resource/tcpip';
const sensors = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    name: `connection tcp:192.168.17.${index}:8883`,
    state: 'down' as const,
    detail: 'the server was silent for 20 s, which keepalive and TCP_USER_TIMEOUT have found',
  }));

describe('the attributes of a resource', () => {
  const told = (count: number, maximumBytes = Number.POSITIVE_INFINITY) => {
    const payload = fitting(resourceForms(resourceView({ sensors: sensors(count) })), topic, maximumBytes);
    return { bytes: Buffer.byteLength(payload), view: JSON.parse(payload) };
  };

  it('are whole as long as Home Assistant keeps them', () => {
    const { bytes, view } = told(80);
    assert.ok(bytes > 8000 && bytes <= attributesAtMostBytes);
    assert.equal(view.sensors.length, 80);
    assert.equal(view.shortened, undefined);
  });

  it('are fewer sensors where there are so many that its recorder would keep nothing', () => {
    const { bytes, view } = told(500);
    assert.ok(bytes <= attributesAtMostBytes);
    assert.equal(view.sensors.length, 20);
    assert.equal(view.shortened, true);
  });

  it('are fewer, or none, where the broker takes less', () => {
    assert.equal(told(80, 4096).view.sensors.length, 20);
    assert.equal(told(80, 1024).view.sensors.length, 0);
  });
});

it('the attributes of an outage are without evidence where that would be too long', () => {
  const lines = Array.from(
    { length: 300 },
    (_, index) => `tap0 fe80::${index} dev tap0 proto kernel metric 256`,
  );
  const evidence = {
    kernel: lines,
    ...{ addresses_before: [], addresses_after: null, routes_before: lines, routes_after: null },
  };
  const payload = fitting(outageForms(outageView(7, { evidence })), topic, Number.POSITIVE_INFINITY);
  assert.ok(Buffer.byteLength(payload) <= attributesAtMostBytes);
  assert.equal(JSON.parse(payload).evidence, null);
});
