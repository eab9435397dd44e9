/** Two daemons of one node, as from a copied memory card: a person who looks at Home Assistant must learn of it. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Broker } from '../lab/broker.js';
import { Lab } from '../lab/lab.js';
import { becomeRoot, skipWithoutLab } from '../lab/root.js';
import { until } from '../lab/wait.js';
import { HomeAssistant } from './instance.js';

await becomeRoot();

const problem = 'binary_sensor.lab_problem';
/** The one that gives way first waits a minute before it can say why. */
const deadlineMs = 180_000;

describe('two daemons of one node in Home Assistant', { skip: skipWithoutLab() }, () => {
  let lab: Lab;
  let broker: Broker;
  let home: HomeAssistant;

  const start = async (stateDir: string) => {
    lab.stateDir = `${lab.directory}/${stateDir}`;
    const daemon = lab.run({
      resources: { tcpip: { watch: 'stack' } },
      mqtt: { url: lab.brokerUrl(broker) },
    });
    await daemon.watching();
    return daemon;
  };

  before(async () => {
    lab = await Lab.open();
    broker = await lab.startBroker();
    home = await HomeAssistant.start({ mqttPort: broker.port });
  });

  after(async () => {
    await home?.stop();
    await lab?.close();
  });

  it('one alone needs no attention', async () => {
    await start('one');
    await home.waitForState('binary_sensor.lab_stack_alive', 'on');
    await home.waitForState(problem, 'off');
  });

  it('the second one makes them say why, each in its turn', async t => {
    await start('other');
    const startedMs = performance.now();
    let seen: unknown;
    const isTold = async () => {
      const state = await home.state(problem);
      seen = state;
      return state?.state === 'on' && /another client/.test(String(state.attributes.problems));
    };
    const context = () => `${JSON.stringify(seen)}\n${lab.story()}`;
    await until('the problem to be shown', isTold, { deadlineMs, pollMs: 200, context });
    t.diagnostic(`shown ${Math.round((performance.now() - startedMs) / 1000)} s after the second start`);
    // Whoever has the connection later tells it as well.
    const states = await home.subscribeEvents<{ entity_id: string; new_state: { state: string } }>(
      'state_changed',
    );
    const takeovers = () =>
      states.filter(({ data }) => data.entity_id === 'sensor.lab_connected_since').length;
    await until('the next take-over', () => takeovers() > 0, { deadlineMs, pollMs: 200, context });
    await until('the problem to be shown again', isTold, { deadlineMs, pollMs: 200, context });
    assert.deepEqual(home.complaints(), []);
  });
});
