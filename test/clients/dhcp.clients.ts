/** Leases, by the clients of Debian: what they do at a renewal is no outage, and the end of a lease is one. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Host, needsClients } from './host.js';
import { Line } from './line.js';
import { uplink, Watch } from './watch.js';

interface Client {
  readonly name: string;
  readonly command: string;
  /** The shortest lease that it believes. */
  readonly leaseS: number;
  /** Makes it ask now, where it does not do so within seconds: udhcpc does not let the server say when, dhcpcd hears no refusal before 7/8 of the lease. */
  readonly renew?: string;
}

const clients: readonly Client[] = [
  {
    name: 'dhclient',
    command: 'dhclient -4 -d -v -pf client.pid wan0',
    leaseS: 6,
  },
  {
    name: 'udhcpc',
    command: 'udhcpc -f -i wan0 -s /etc/udhcpc/default.script -t 3 -T 1 -A 1',
    leaseS: 16,
    renew: 'kill -USR1 "$(cat udhcpc.group)"',
  },
  {
    // With the configuration of Debian, which keeps the address when it ends.
    name: 'dhcpcd',
    command: 'dhcpcd -4 -B wan0',
    leaseS: 20,
    renew: 'dhcpcd -4 --rebind wan0',
  },
];

const start = (gateway: Host, { name, command }: Client): Promise<void> => gateway.start(name, command);

const skip = needsClients();

describe('a lease', { skip, concurrency: 6 }, () => {
  for (const client of clients) {
    const { name, leaseS, renew } = client;
    it(`of ${name} that is prolonged: no outage`, async test => {
      const line = await Line.open(test);
      await line.serve({ pool: 5, leaseS, renewS: 2 });
      await start(line.gateway, client);
      await line.leased(5);
      const watch = await Watch.begin(test, line.gateway, [uplink]);
      const before = await line.grants();
      for (const more of [1, 2]) {
        if (renew !== undefined) await line.gateway.sh(renew);
        await line.granted(before + more);
      }
      await line.leased(5);
      await watch.noOutage(test);
    });

    it(`of ${name} that is renewed with another address: no outage`, async test => {
      const line = await Line.open(test);
      await line.serve({ pool: 5, leaseS, renewS: 2 });
      await start(line.gateway, client);
      await line.leased(5);
      const watch = await Watch.begin(test, line.gateway, [uplink]);
      await line.serve({ pool: 6, leaseS, renewS: 2 });
      if (renew !== undefined) await line.gateway.sh(renew);
      await line.leased(6);
      await watch.noOutage(test);
    });

    it(`of ${name} whose client is restarted: no outage`, async test => {
      const line = await Line.open(test);
      await line.serve({ pool: 5, leaseS: 600 });
      await start(line.gateway, client);
      await line.leased(5);
      const watch = await Watch.begin(test, line.gateway, [uplink]);
      const before = await line.grants();
      await line.gateway.stop(name);
      await start(line.gateway, client);
      await line.granted(before + 1);
      await line.leased(5);
      await watch.noOutage(test);
    });

    it(`of ${name} that is over, since there is no server any more: an outage, until there is one again`, async test => {
      const line = await Line.open(test);
      await line.serve({ pool: 5, leaseS });
      await start(line.gateway, client);
      await line.leased(5);
      const watch = await Watch.begin(test, line.gateway, [{ ...uplink, renewalMs: 1000 }]);
      await line.goSilent();
      const down = await watch.outage(/no_address/);
      if (name === 'dhcpcd') {
        const own = "ip -4 -o address show wan0 scope global | grep -q ' 169.254.'";
        await line.gateway.until('an address of its own', own);
        assert.equal((await watch.now())[0]?.state, 'down', 'which is no uplink');
      }
      await line.serve({ pool: 5, leaseS });
      await line.gateway.stop(name);
      await start(line.gateway, client);
      await watch.up(down);
    });
  }
});
