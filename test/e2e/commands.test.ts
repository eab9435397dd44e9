/** Commands by MQTT: the reboot button is obeyed when it is fresh, and only then. */
import assert from 'node:assert/strict';
import type { Daemon } from '../lab/daemon.js';
import { rebootBy, rebootStub } from '../lab/reboot.js';
import type { Recorder } from '../lab/recorder.js';
import { scenario } from './scenario.js';

const pressTopic = 'sockmon/lab/cmd/reboot';

interface Answer {
  readonly id: string;
  readonly status: string;
  readonly code: string | null;
  readonly detail: string;
}

/** Waits for the n-th answer on the result topics. */
async function answer(recorder: Recorder, count: number): Promise<Answer> {
  const results = () => recorder.messages.filter(({ topic }) => topic.startsWith('sockmon/lab/result/'));
  await recorder.until(`answer ${count}`, message => results().indexOf(message) === count - 1);
  return JSON.parse(results()[count - 1]?.payload ?? '{}');
}

/** A press is refused for ten seconds after the connection was made: wait until the daemon itself says that it is older. */
async function quietTimeOver(daemon: Daemon, recorder: Recorder): Promise<void> {
  const about = await recorder.until(
    'a connection',
    ({ topic, payload }) => topic === 'sockmon/lab/about' && JSON.parse(payload).connection?.since,
  );
  const connectedMs = Date.parse(JSON.parse(about.payload).connection.since);
  await daemon.until('ten seconds since the connection', () => Date.now() - connectedMs > 10_500);
}

scenario(
  'reboot button: retained, too soon and repeated presses are refused, a fresh one is obeyed',
  async lab => {
    const reboot = rebootStub(lab);
    const broker = await lab.startBroker();
    const recorder = await lab.record(broker.port);
    await recorder.publish(pressTopic, 'PRESS', { retain: true });
    const daemon = lab.run({
      resources: { tcpip: lab.resource(lab.restartScript()) },
      reboot: rebootBy(reboot),
      mqtt: { url: lab.brokerUrl(broker) },
    });
    await recorder.until('online', ({ payload }) => payload === 'online');
    // What has lain there is answered first.
    const refusals = [(await answer(recorder, 1)).code ?? ''];
    await recorder.publish(pressTopic, 'PRESS');
    refusals.push((await answer(recorder, 2)).code ?? '');
    await recorder.publish(pressTopic, 'PRESS', { retain: true });
    refusals.push((await answer(recorder, 3)).code ?? '');
    await recorder.publish(pressTopic, 'press');
    refusals.push((await answer(recorder, 4)).code ?? '');
    assert.deepEqual(refusals, ['retained', 'too_soon', 'retained', 'invalid']);
    assert.equal(reboot.calls().length, 0);

    await quietTimeOver(daemon, recorder);
    await recorder.publish(pressTopic, 'PRESS');
    assert.equal((await answer(recorder, 5)).status, 'accepted');
    await daemon.until('the reboot command to run', () => reboot.calls().length > 0);
    await recorder.publish(pressTopic, 'PRESS');
    await recorder.until(
      'the second press to be refused',
      ({ topic, payload }) => topic.includes('/result/') && /rate_limited|busy/.test(payload),
    );

    assert.equal((await daemon.stop()).code, 0);
    assert.equal(reboot.calls().length, 1);
    const verdicts = daemon.entries('command').map(({ code, status }) => code ?? status);
    assert.deepEqual(verdicts.slice(0, 5), ['retained', 'too_soon', 'retained', 'invalid', 'accepted']);
  },
);

scenario('reboot button while rebooting is off: refused with the reason, nothing done', async lab => {
  const reboot = rebootStub(lab);
  const broker = await lab.startBroker();
  const recorder = await lab.record(broker.port);
  const daemon = lab.run({
    resources: { tcpip: lab.resource(lab.restartScript()) },
    reboot: { command: [reboot.path], min_uptime: '0s' },
    mqtt: { url: lab.brokerUrl(broker) },
  });
  await quietTimeOver(daemon, recorder);
  await recorder.publish(pressTopic, 'PRESS');
  const verdict = await answer(recorder, 1);
  assert.equal(verdict.status, 'rejected');
  assert.equal(verdict.code, 'not_allowed');
  assert.match(verdict.detail, /allow-reboot/);
  assert.equal(reboot.calls().length, 0);
});

scenario('a restart by command: carried out once, its repetition refused', async lab => {
  const broker = await lab.startBroker();
  const recorder = await lab.record(broker.port);
  // The stack lives: to restart it is to end it first.
  const script = lab.restartScript({ first: `kill -9 "$(cat '${lab.stack.pidfile}')"` });
  const daemon = lab.run({
    resources: { tcpip: lab.resource(script) },
    mqtt: { url: lab.brokerUrl(broker) },
  });
  await daemon.watching();
  await recorder.until('online', ({ payload }) => payload === 'online');
  const command = {
    v: 1,
    id: 'test-restart-1',
    action: 'restart',
    target: 'tcpip',
    issued_at: new Date().toISOString(),
  };
  await recorder.publish('sockmon/lab/cmd/run', JSON.stringify(command));
  const isMine = (status: string) => (message: { topic: string; payload: string }) =>
    message.topic === 'sockmon/lab/result/test-restart-1' && JSON.parse(message.payload).status === status;
  await recorder.until('the command to be done', isMine('done'));
  assert.equal(script.calls().length, 1);

  await recorder.publish('sockmon/lab/cmd/run', JSON.stringify(command));
  const again = await recorder.until('the repetition to be refused', isMine('rejected'));
  assert.equal(JSON.parse(again.payload).code, 'duplicate');
  assert.equal(script.calls().length, 1);
});
