/** Deliberate work by MQTT: a pause is respected and ends by itself, a drill kills the real stack and proves that it comes back. */
import assert from 'node:assert/strict';
import type { Recorder } from '../lab/recorder.js';
import { scenario } from './scenario.js';

const send = (recorder: Recorder, body: object): Promise<unknown> => {
  const command = { v: 1, issued_at: new Date().toISOString(), ...body };
  return recorder.publish('sockmon/lab/cmd/run', JSON.stringify(command));
};

scenario('a pause by command: the dead is left alone until it ends by itself', async lab => {
  const broker = await lab.startBroker();
  const recorder = await lab.record(broker.port);
  const daemon = lab.run({
    resources: { tcpip: lab.resource(lab.restartScript()) },
    mqtt: { url: lab.brokerUrl(broker) },
  });
  await daemon.watching();
  await recorder.until('online', ({ payload }) => payload === 'online');
  await send(recorder, { id: 'pause-12345', action: 'pause', target: 'tcpip', for: '8s' });
  await recorder.until(
    'the verdict',
    ({ topic, payload }) =>
      topic.endsWith('/result/pause-12345') && JSON.parse(payload).status === 'accepted',
  );
  lab.killStack('SIGKILL');
  await daemon.until('the recovery', () => daemon.entries('outage_end').length === 1);
  const [pause] = daemon.entries('pause');
  const [begin] = daemon.entries('outage_begin');
  const [attempt] = daemon.entries('attempt');
  assert.ok(pause && begin && attempt);
  assert.ok(begin.atMs < pause.untilMs && attempt.atMs >= pause.untilMs, 'nothing was done during the pause');
  assert.equal(attempt.by, 'ladder');
});

scenario('a drill by command: the real stack is killed, comes back, and is counted nowhere', async lab => {
  const broker = await lab.startBroker();
  const recorder = await lab.record(broker.port);
  const daemon = lab.run({
    resources: { tcpip: lab.resource(lab.restartScript()) },
    mqtt: { url: lab.brokerUrl(broker) },
  });
  await daemon.watching();
  await recorder.until('online', ({ payload }) => payload === 'online');
  await send(recorder, { id: 'drill-12345', action: 'drill', target: 'tcpip' });
  const done = await recorder.until(
    'the result, told when there is a network again',
    ({ topic, payload }) => topic.endsWith('/result/drill-12345') && JSON.parse(payload).status === 'done',
  );
  assert.match(JSON.parse(done.payload).detail, /^tcpip was killed and is back after /);
  const [begin] = daemon.entries('outage_begin');
  assert.ok(begin?.drill);
  // It is written down when the stack is back already: what the reflex starts goes first.
  const beganMs = begin.wallMs - (begin.bootMs - begin.atMs);
  await recorder.until('the resource to be told as back', ({ topic, payload }) => {
    if (topic !== 'sockmon/lab/resource/tcpip') return false;
    const { state, since } = JSON.parse(payload);
    return state === 'up' && Date.parse(since) > beganMs;
  });
  const state = await recorder.until(
    'the state with it back',
    ({ topic, payload }) =>
      topic === 'sockmon/lab/state' && JSON.parse(payload).resources.network.tcpip.state === 'up',
  );
  assert.equal(JSON.parse(state.payload).outages_total, 0);
});
