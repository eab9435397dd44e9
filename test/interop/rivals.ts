/** Two clients of one id: first a connection of sockmon's own that the broker still holds, then somebody else's. And sockmon's end. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { connectAsync, type MqttClient } from 'mqtt';
import { until } from '../lab/wait.js';
import { type Stage, topicsOf } from './stage.js';

const node = 'lab';
const { status } = topicsOf(node);

/** Another machine of the same id, which wants the connection back whenever it loses it. */
class Rival {
  #client: MqttClient | null = null;
  #isOver = false;
  takeOvers = 0;

  constructor(private readonly stage: Stage) {}

  async come(): Promise<void> {
    const { broker, credentials } = this.stage;
    const options = { ...credentials, clientId: `sockmon-${node}`, reconnectPeriod: 0 };
    const client = await connectAsync(`mqtt://${broker.host}:${broker.port}`, options);
    this.#client = client;
    this.takeOvers += 1;
    client.on('error', () => {});
    client.once('close', () => {
      // Meanwhile the broker may hang up at it as well.
      if (!this.#isOver) void this.come().catch(() => {});
    });
  }

  async leave(): Promise<void> {
    this.#isOver = true;
    await this.#client?.endAsync(true);
  }
}

export function playRivals(stage: Stage): void {
  const { kind } = stage;

  /** The stack dies, and sockmon connects anew as soon as it is back, whatever it was waiting for. */
  async function newConnection(): Promise<void> {
    const before = stage.connects();
    stage.lab.killStack('SIGKILL');
    await stage.soon('a new connection', () => stage.connects() > before);
  }

  it('still holds the old connection when the new one comes: the last word is online, and nobody is accused', async () => {
    const { listener, gate } = stage;
    gate.freeze();
    gate.thaw();
    await newConnection();
    // A will that comes late (ejabberd, mochi, moquette) is answered.
    await listener.settle();
    await stage.isListening(node);
    await listener.settle();
    const payloads = await stage.given(status, given => given.get(status) === 'online');
    assert.equal(payloads.get(status), 'online');
    assert.equal(stage.connection(node)?.problem, null);
    await gate.close();
    await gate.open();
    await stage.isListening(node);
  });

  it('has another client with our id: sockmon says so, and comes back when that one is gone', async () => {
    const { listener } = stage;
    const before = stage.connects();
    const rival = new Rival(stage);
    await rival.come();
    if (kind.takeOver === 'both stay') {
      await listener.settle();
      assert.equal(stage.connects(), before);
      await rival.leave();
    } else {
      const words =
        kind.takeOver === 'said'
          ? /Another client with the same client id has taken over/
          : /Is there another client with the id sockmon-lab\?/;
      await stage.soon('it to be said', () => words.test(stage.log));
      await rival.leave();
      await newConnection();
      const problem = await stage.soon('the problem', () => stage.connection(node)?.problem);
      assert.match(problem, /sockmon-lab/);
    }
    await stage.soon('online', () => listener.last(status) === 'online');
  });

  it('tells the will when sockmon is killed, and keeps it for who comes later, but for moquette', async () => {
    const { listener } = stage;
    await stage.killed();
    await until('offline', () => listener.last(status) === 'offline', { deadlineMs: 60_000 });
    const last = kind.retainsWill ? 'offline' : 'online';
    await stage.given(status, payloads => payloads.get(status) === last);
  });
}
