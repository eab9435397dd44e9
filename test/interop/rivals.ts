/** Two clients of one id: first a connection of sockmon's own that the broker still holds, then somebody else's. And sockmon's end. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { connect, type MqttClient } from 'mqtt';
import { until } from '../lab/wait.js';
import { type Stage, topicsOf } from './stage.js';

const node = 'lab';
const { status } = topicsOf(node);

/** Another machine of the same id. It wants the connection back whenever sockmon has it, once sockmon has told all. */
class Rival {
  #client: MqttClient | null = null;
  #isOver = false;
  #came = 0;
  #coming: Promise<void> = Promise.resolve();

  constructor(private readonly stage: Stage) {}

  async come(): Promise<void> {
    this.#dial();
    await until('the rival to be connected', () => this.#came > 0);
  }

  #dial(): void {
    const { broker, credentials } = this.stage;
    const options = { ...credentials, clientId: `sockmon-${node}`, reconnectPeriod: 0 };
    const client = connect(`mqtt://${broker.host}:${broker.port}`, options);
    this.#client = client;
    client.on('error', () => {});
    client.on('connect', () => {
      this.#came += 1;
    });
    client.once('close', () => {
      this.#coming = this.#comeAgain();
    });
  }

  /** NATS hangs up at it before it is taken, too, when it comes within a second of the last take-over. */
  async #comeAgain(): Promise<void> {
    await until('sockmon to have told all', () => this.#isOver || this.stage.hasToldAll(node), patience);
    if (!this.#isOver) this.#dial();
  }

  async leave(): Promise<void> {
    this.#isOver = true;
    await this.#coming;
    await this.#client?.endAsync(true);
  }
}

/** A guess takes four take-overs in a row, and what NATS hangs up at begins it anew. */
const patience = { deadlineMs: 240_000 };

/** What the log says of a take-over. */
const said = /Another client with the same client id has taken over/;
const guessed = /Is there another client with the id sockmon-lab\?/;

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
    const before = stage.connects();
    await gate.close();
    await gate.open();
    await stage.soon('the next connection', () => stage.connects() > before);
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
      const words = kind.takeOver === 'said' ? said : guessed;
      await stage.soon('it to be said', () => words.test(stage.log), patience);
      await rival.leave();
      await newConnection();
      await stage.isListening(node);
      assert.match(stage.connection(node)?.problem ?? '', /sockmon-lab/);
    }
    await stage.soon('online', () => listener.last(status) === 'online');
  });

  const keeping = kind.retainsWill
    ? 'and keeps it for who comes later'
    : 'and keeps the old status for who comes later';
  it(`tells the will when sockmon is killed, ${keeping}`, async () => {
    const { listener } = stage;
    await stage.killed();
    await until('offline', () => listener.last(status) === 'offline', { deadlineMs: 60_000 });
    const last = kind.retainsWill ? 'offline' : 'online';
    await stage.given(status, payloads => payloads.get(status) === last);
  });
}
