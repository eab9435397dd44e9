import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type EvidenceSources, evidenceCollector, systemSources } from '../../src/evidence/collector.js';
import { openMonitor } from '../native/helpers.js';

const minuteMs = 60_000;

/** Files in place of /dev/kmsg and /proc/net, a clock and an interface in the test's hand. */
class Place {
  readonly directory: string;
  nowMs = 60 * minuteMs;
  address = '192.168.1.10/24';

  constructor(t: TestContext) {
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), 'sockmon-evidence-'));
    t.after(() => fs.rmSync(this.directory, { recursive: true }));
    fs.writeFileSync(`${this.directory}/kmsg`, '');
    this.route('0101A8C0');
  }

  route(gateway: string): void {
    const line = `eth0\t00000000\t${gateway}\t0003\t0\t0\t0\t00000000\t0\t0\t0`;
    fs.writeFileSync(`${this.directory}/route`, `${line}\n`);
  }

  say(text: string, atMs = this.nowMs): void {
    fs.appendFileSync(`${this.directory}/kmsg`, `6,1,${atMs * 1000},-;${text}\n`);
  }

  sources(more: Partial<EvidenceSources> = {}): EvidenceSources {
    return {
      kernelLog: `${this.directory}/kmsg`,
      procNet: this.directory,
      nowMs: () => this.nowMs,
      filters: async () => [],
      held: async () => [],
      addresses: () => [`eth0 ${this.address}`],
      ...more,
    };
  }
}

const alive = { addresses: ['eth0 192.168.1.10/24'], routes: ['default via 192.168.1.1 dev eth0'] };

describe('evidence', () => {
  it('before: the network as it was last seen alive, and what the kernel said in the last ten minutes', async t => {
    const place = new Place(t);
    const collector = evidenceCollector(place.sources());
    place.say('eth0: Link is Up');
    await collector.collect('tcpip', 'alive');
    place.nowMs += 30 * minuteMs;
    place.say('eth0: Link is Down');
    place.address = '169.254.0.1/16';
    place.route('00000000');
    assert.deepEqual(await collector.collect('tcpip', 'before'), {
      kernel: ['eth0: Link is Down'],
      ...alive,
    });
  });

  it('after: the network as it is, and what the kernel said since; that is the next before', async t => {
    const place = new Place(t);
    const collector = evidenceCollector(place.sources());
    place.say('eth0: Link is Down');
    await collector.collect('tcpip', 'before');
    place.nowMs += minuteMs;
    place.say('eth0: Link is Up');
    assert.deepEqual(await collector.collect('tcpip', 'after'), { kernel: ['eth0: Link is Up'], ...alive });
    place.address = '';
    assert.deepEqual((await collector.collect('tcpip', 'before')).addresses, alive.addresses);
  });

  it('of many that are seen alive at once is one picture, of a later one another', async t => {
    const place = new Place(t);
    let looks = 0;
    const { addresses } = place.sources();
    const counted = () => {
      looks++;
      return addresses();
    };
    const collector = evidenceCollector(place.sources({ addresses: counted }));
    for (let n = 0; n < 100; n++) await collector.collect(`r${n}`, 'alive');
    assert.equal(looks, 1);
    place.nowMs += 1000;
    await collector.collect('r1', 'alive');
    await collector.collect('r1', 'after');
    assert.equal(looks, 3);
    assert.deepEqual((await collector.collect('r99', 'before')).addresses, alive.addresses);
  });

  it('of many that die or are back at once is one look each time', async t => {
    const place = new Place(t);
    let looks = 0;
    const { addresses } = place.sources();
    const counted = () => {
      looks++;
      return addresses();
    };
    const collector = evidenceCollector(place.sources({ addresses: counted }));
    const opened = t.mock.method(fs, 'readSync');
    const ofAll = (when: 'before' | 'after') =>
      Promise.all(Array.from({ length: 300 }, (_, n) => collector.collect(`r${n}`, when)));
    place.say('eth0: Link is Down');
    const before = await ofAll('before');
    assert.deepEqual(new Set(before.map(({ kernel }) => kernel.join())), new Set(['eth0: Link is Down']));
    place.say('eth0: Link is Up');
    const after = await ofAll('after');
    assert.deepEqual(new Set(after.map(({ kernel }) => kernel.join())), new Set(['eth0: Link is Up']));
    assert.equal(looks, 1);
    assert.ok(opened.mock.callCount() < 50, `${opened.mock.callCount()} reads for 600 pictures`);
  });

  it('of a resource that was never seen alive has no network before', async t => {
    const collector = evidenceCollector(new Place(t).sources());
    assert.deepEqual(await collector.collect('tcpip', 'before'), { kernel: [], addresses: [], routes: [] });
  });

  it('is at most 20 entries of each kind, the default route among them', async t => {
    const place = new Place(t);
    const host = (n: number): string => (n >>> 0).toString(16).padStart(8, '0');
    const rest = Array.from(
      { length: 5000 },
      (_, n) => `eth0\t${host(n * 65_537)}\t00000000\t0001\t0\t0\t0\tFFFFFFFF`,
    );
    fs.appendFileSync(`${place.directory}/route`, `${rest.join('\n')}\n`);
    for (let n = 0; n < 50; n++) place.say(`eth0: Link is Down ${n}`);
    const many = Array(50).fill('eth0 fd00::1/64');
    const collector = evidenceCollector(place.sources({ addresses: () => many }));
    await collector.collect('tcpip', 'alive');
    const { kernel, addresses, routes } = await collector.collect('tcpip', 'before');
    assert.deepEqual([kernel.length, addresses.length, routes.length], [20, 20, 20]);
    assert.equal(kernel.at(-1), 'eth0: Link is Down 49');
    assert.equal(routes[0], alive.routes[0]);
  });

  it('names what cannot be read and keeps the rest', async t => {
    const place = new Place(t);
    const collector = evidenceCollector(
      place.sources({
        kernelLog: `${place.directory}/nothing`,
        addresses: () => {
          throw new Error('EMFILE');
        },
      }),
    );
    const { kernel, addresses, routes } = await collector.collect('tcpip', 'after');
    assert.match(kernel[0] ?? '', /ENOENT/);
    assert.match(addresses[0] ?? '', /EMFILE/);
    assert.deepEqual(routes, alive.routes);
  });

  it('of this machine has words for its own network', async t => {
    const { monitor } = openMonitor(t);
    const sources = systemSources(() => monitor.addresses());
    const { addresses, routes } = await evidenceCollector(sources).collect('tcpip', 'after');
    for (const address of addresses) assert.match(address, /^\S+ [0-9a-f:.]+\/\d+$/);
    for (const route of routes)
      assert.match(route, /^(default|[0-9a-f:.]+\/\d+)( via [0-9a-f:.]+)? dev \S+( metric \d+)?$/);
  });
});
