/** Names and addresses: a name server that swallows questions, a slow line, an address without a way to it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import dns from 'node:dns';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { startEmbeddedBroker } from '../../src/mqtt/embedded-broker.js';
import { connectFirst, interleaved, tellingError } from '../../src/mqtt/race.js';
import { MqttReporter } from '../../src/mqtt/reporter.js';
import { Resolver } from '../../src/mqtt/resolver.js';
import { eventually } from './eventually.js';
import { freePort } from './mosquitto.js';
import { FakeTelling, MemoryLog, settingsFor } from './telling.js';

describe('look-ups', () => {
  /** A name server that answers when the test says so. */
  function silentServer() {
    const asked: { host: string; answer: (addresses: string[]) => void; fail: (error: Error) => void }[] = [];
    const lookup = (host: string) =>
      new Promise<string[]>((answer, fail) => {
        asked.push({ host, answer, fail });
      });
    return { asked, lookup };
  }

  it('are shared: what one attempt has waited for too long the next one finds', async () => {
    const { asked, lookup } = silentServer();
    const resolver = new Resolver(lookup, { waitMs: 30, freshMs: 60_000 });
    for (let i = 0; i < 5; i++)
      await assert.rejects(resolver.addresses('broker.test'), { code: 'EAI_AGAIN' });
    assert.equal(asked.length, 1);
    const patient = resolver.addresses('broker.test');
    asked[0]?.answer(['192.0.2.1']);
    assert.deepEqual(await patient, ['192.0.2.1']);
    void resolver.addresses('broker.test').catch(() => {});
    assert.equal(asked.length, 2, 'what has been answered is asked anew');
  });

  it('never hold more than two threads, and the first answer counts', async () => {
    const { asked, lookup } = silentServer();
    const resolver = new Resolver(lookup, { waitMs: 30, freshMs: 0 });
    for (let i = 0; i < 5; i++)
      await assert.rejects(resolver.addresses('broker.test'), { code: 'EAI_AGAIN' });
    assert.equal(asked.length, 2);
    const patient = new Resolver(lookup, { waitMs: 60_000, freshMs: 0 });
    const [one, other] = [patient.addresses('b.test'), patient.addresses('b.test')];
    asked[2]?.fail(new Error('search list'));
    asked[3]?.answer(['192.0.2.2']);
    assert.deepEqual(await other, ['192.0.2.2']);
    await assert.rejects(one, /search list/);
  });

  it('are not made for an address', async () => {
    const { asked, lookup } = silentServer();
    assert.deepEqual(await new Resolver(lookup).addresses('::1'), ['::1']);
    assert.equal(asked.length, 0);
  });
});

describe('the order of addresses', () => {
  it('takes turns between the families, begins with the first choice, and leaves none out of the first eight', () => {
    assert.deepEqual(interleaved(['::1', '::2', '::3', '1.1.1.1']), ['::1', '1.1.1.1', '::2', '::3']);
    assert.deepEqual(interleaved(['1.1.1.1', '::1']), ['1.1.1.1', '::1']);
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.ipV4(), fc.ipV6()), { minLength: 1, maxLength: 8 }), addresses => {
        const order = interleaved(addresses);
        assert.equal(order[0], addresses[0]);
        assert.deepEqual([...order].sort(), [...addresses].sort());
      }),
    );
  });

  it('tells of the address that there is a way to', () => {
    const error = (code: string) => Object.assign(new Error(code), { code });
    assert.equal(tellingError([error('ENETUNREACH'), error('ECONNREFUSED')]).message, 'ECONNREFUSED');
    assert.equal(tellingError([error('EADDRNOTAVAIL'), error('ENETUNREACH')]).message, 'EADDRNOTAVAIL');
  });
});

describe('connecting', () => {
  /**
   * A listener whose queue is full: the kernel drops SYNs, and the handshake is over when the next one comes, 1 s after the first. That is
   * a slow line without a line.
   */
  async function slowListener(t: TestContext, towards: number) {
    const port = await freePort();
    const program = `
      const net = require('node:net');
      net.createServer(near => {
        const far = net.connect(${towards}, '127.0.0.1');
        near.on('error', () => {}); far.on('error', () => {});
        near.pipe(far); far.pipe(near);
      }).listen({ port: ${port}, host: '127.0.0.1', backlog: 1 }, () => console.log('listening'));`;
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    child.kill('SIGSTOP');
    const fillers: ReturnType<typeof connect>[] = [];
    t.after(() => {
      for (const socket of fillers) socket.destroy();
    });
    for (let isFull = false; !isFull; ) {
      const socket = connect(port, '127.0.0.1').on('error', () => {});
      fillers.push(socket);
      const connected = once(socket, 'connect').then(() => true);
      isFull = !(await Promise.race([connected, new Promise(resolve => setTimeout(resolve, 500, false))]));
    }
    return { port, goOn: () => child.kill('SIGCONT') };
  }

  it('has patience with a slow handshake beside an address that fails at once', async t => {
    const broker = await startEmbeddedBroker({ host: '127.0.0.1', port: 0 });
    const slow = await slowListener(t, broker.port);
    // After the listener, whose connections it would wait for.
    t.after(() => broker.stop());
    // 127.0.0.9: nobody listens there.
    type Done = (error: null, addresses: { address: string; family: number }[]) => void;
    t.mock.method(dns, 'lookup', (_host: string, _options: object, done: Done) => {
      setTimeout(slow.goOn, 600);
      done(null, [
        { address: '127.0.0.1', family: 4 },
        { address: '127.0.0.9', family: 4 },
      ]);
    });
    const settings = settingsFor(0, { url: `mqtt://broker.test:${slow.port}`, protocol: '3.1.1' });
    const log = new MemoryLog();
    const reporter = new MqttReporter({ settings, node: 'gw1', log, random: () => 0.05 });
    t.after(() => reporter.stop());
    reporter.start(new FakeTelling());
    await eventually('connected', () => reporter.connection().state === 'connected');
    assert.equal(log.find(/cannot be reached/), undefined, 'at the first attempt');
  });

  it('does not wait for an address that is silent when the next one answers', async t => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    const full = await slowListener(t, address.port);
    const targets = [
      { host: '127.0.0.1', port: full.port },
      { host: '127.0.0.1', port: address.port },
    ];
    const socket = await connectFirst(targets, new AbortController().signal);
    assert.equal(socket.remotePort, address.port);
    socket.destroy();
  });

  it('can be given up at any time', async t => {
    const full = await slowListener(t, 1);
    const given = new AbortController();
    const waiting = connectFirst([{ host: '127.0.0.1', port: full.port }], given.signal);
    given.abort();
    await assert.rejects(waiting, /given up/);
    await assert.rejects(connectFirst([{ host: '127.0.0.1', port: full.port }], given.signal), /given up/);
  });
});
