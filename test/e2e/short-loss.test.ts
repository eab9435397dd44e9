/** A network that is back within moments, and whose connections outlive that: the device stays available. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { nodeCommand } from '../lab/daemon.js';
import { run } from '../lab/proc.js';
import { scenario } from './scenario.js';

scenario(
  'a short loss that leaves the connection to the broker whole is never told as offline',
  async lab => {
    const broker = await lab.startBroker();
    const recorder = await lab.record(broker.port);
    const script = `${lab.directory}/bounce`;
    // The routes go with the link; the address, and with it every connection, stays.
    writeFileSync(
      script,
      `#!/bin/sh
ip link set tap0 down
sleep 0.05
ip link set tap0 up
ip route add default via 10.0.2.2 dev tap0
`,
      { mode: 0o755 },
    );
    const daemon = lab.run({
      resources: { tcpip: { ...lab.resource(null), restart: script } },
      mqtt: { url: lab.brokerUrl(broker) },
    });
    await daemon.watching();
    const said = () =>
      recorder.messages.filter(({ topic }) => topic === 'sockmon/lab/status').map(({ payload }) => payload);
    const told = () =>
      recorder.messages.filter(({ payload }) => payload.includes('"stack_recovered"')).length;
    await recorder.until('online', ({ payload }) => payload === 'online');

    await run([...nodeCommand, 'restart', 'tcpip', '--state-dir', lab.stateDir]);
    await recorder.until('the commanded restart', () => told() === 1);
    await recorder.until('online again', () => said().at(-1) === 'online');

    await lab.takeLinkDown();
    await recorder.until('the outage', () => told() === 2);
    await recorder.until('online again', () => said().at(-1) === 'online');

    // A connection that was given up would have left its will, and the broker a line for the next one.
    await daemon.until('the proof', () => daemon.log.length > 0);
    await new Promise(resolve => setTimeout(resolve, 2500));
    assert.ok(!said().includes('offline'), said().join());
    assert.equal(daemon.log.split('Connected to mqtt').length - 1, 1);
  },
);
