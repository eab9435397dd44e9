/** A copied SD card: a second machine with the same id takes the connection, and the owner is told. */
import assert from 'node:assert/strict';
import type { StatusAnswer } from '../../src/control/protocol.js';
import { nodeCommand } from '../lab/daemon.js';
import { run } from '../lab/proc.js';
import { Listener } from '../mqtt/listener.js';
import { scenario } from './scenario.js';

scenario(
  'a second client with the same id: a problem in sockmon status, and a minute of peace',
  async lab => {
    const broker = await lab.startBroker();
    const daemon = lab.run({
      resources: { tcpip: lab.resource(lab.restartScript()) },
      mqtt: { url: lab.brokerUrl(broker) },
    });
    const connections = () => daemon.log.split('Connected to mqtt').length - 1;
    const listener = await Listener.on({ host: '127.0.0.1', port: broker.port });
    lab.onClose(() => listener.close());
    const onlines = () =>
      listener.on('sockmon/lab/status').filter(({ payload }) => payload === 'online').length;
    // Three in a row may be restarts of the broker.
    for (let round = 1; round <= 4; round++) {
      await daemon.until(`connection ${round}`, () => connections() === round && onlines() >= round);
      // In the first flight the kick would look like an answer to what was sent.
      await listener.settle();
      const rival = await Listener.on({ host: '127.0.0.1', port: broker.port }, { clientId: 'sockmon-lab' });
      lab.onClose(() => rival.close());
    }
    await daemon.until('the guess', () =>
      /another client with the id sockmon-lab\? Next attempt in 60\.0 s/.test(daemon.log),
    );
    const status = (...options: string[]) =>
      run([...nodeCommand, 'status', ...options, '--state-dir', lab.stateDir]);
    const { snapshot, connection }: StatusAnswer = JSON.parse(await status('--json'));
    assert.equal(connection.state, 'connecting');
    assert.match(connection.problem ?? '', /probably another client has the id sockmon-lab too/);
    assert.deepEqual(snapshot.problems, [connection.problem]);
    assert.match(await status(), /problem +.*another client has the id sockmon-lab/);
  },
);
