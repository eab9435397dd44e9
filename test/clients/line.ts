/** A provider's line: a gateway's wan0 at one end, and a DHCP server or a router (radvd) at the other. */
import type { TestContext } from 'node:test';
import { until } from '../lab/wait.js';
import { Host } from './host.js';

/** Which of its addresses the server gives: 10.77.0.5x or 10.77.0.6x. */
export type Pool = 5 | 6;

export interface Lease {
  readonly pool: Pool;
  readonly leaseS: number;
  /** When the client is to ask for more time; left out: after half of it. */
  readonly renewS?: number;
}

/** radvd advertises every 3 to 4 s, the fastest that it lets itself be told without mobile IP. */
const routerLifetimeS = 6;

export class Line {
  private constructor(
    readonly gateway: Host,
    readonly provider: Host,
  ) {}

  /**
   * @param families With 6 the gateway has IPv6 as the kernel gives it, with 4 none.
   * @param inside The gateway, where it is not to be a new one.
   */
  static async open(test: TestContext, families: 4 | 6 = 4, inside?: Host): Promise<Line> {
    const [gateway, provider] = await Promise.all([inside ?? Host.open(test), Host.open(test)]);
    await gateway.sh(`echo ${families === 4 ? 1 : 0} >/proc/sys/net/ipv6/conf/default/disable_ipv6`);
    // It goes with its other end, a moment after the provider of the test before.
    await gateway.until('the end of another line', '! ip link show wan0 >/dev/null 2>&1');
    // Inside of a host the pid of another one says nothing.
    await gateway.outside(`ip link add wan0 type veth peer name isp0 netns ${provider.pid}`);
    await provider.sh('ip address add 10.77.0.1/24 dev isp0; ip link set isp0 up');
    await gateway.sh('ip link set wan0 up');
    await gateway.until('the carrier', 'ip link show wan0 | grep -q LOWER_UP');
    return new Line(gateway, provider);
  }

  /** Starts ISC's server, which gives any lease, however short; in place of the one that runs. */
  async serve({ pool, leaseS, renewS }: Lease): Promise<void> {
    await this.goSilent();
    const times = ['default', 'min', 'max'].map(which => `${which}-lease-time ${leaseS};`).join(' ');
    const renewal = renewS === undefined ? '' : `option dhcp-renewal-time ${renewS};`;
    // An address that belongs to somebody else by now is refused at a renewal; one that the server has never heard of is passed over.
    const others = [5, 6]
      .filter(other => other !== pool)
      .flatMap(other => [...'0123456789'].map(last => `${other}${last}`));
    const leases = others.map(
      last =>
        `lease 10.77.0.${last} { ends never; binding state active; hardware ethernet 02:00:00:00:00:${last}; }`,
    );
    await this.provider.sh(`cat >dhcpd.conf <<'.'
authoritative; ping-check false; ${times}
subnet 10.77.0.0 netmask 255.255.255.0 { range 10.77.0.50 10.77.0.69; option routers 10.77.0.1; ${renewal} }
.
cat >dhcpd.leases <<'.'
${leases.join('\n')}
.
: >dhcpd.log`);
    await this.provider.start('dhcpd', 'dhcpd -4 -f -d -cf dhcpd.conf -lf dhcpd.leases -pf dhcpd.pid isp0');
    await this.provider.until('the DHCP server', 'grep -q "Listening on" dhcpd.log && test -s dhcpd.pid');
  }

  /** Kills the server: its clients hear nothing any more. */
  async goSilent(): Promise<void> {
    if (await this.provider.is('test -e dhcpd.pid')) await this.provider.stop('dhcpd', 'SIGKILL');
    await this.provider.sh('rm -f dhcpd.pid');
  }

  /** How often the server that runs now has given or prolonged a lease. */
  async grants(): Promise<number> {
    return Number(await this.provider.sh('grep -c "^DHCPACK" dhcpd.log || true'));
  }

  async granted(count: number): Promise<void> {
    await until(`${count} grants`, async () => (await this.grants()) >= count, { pollMs: 100 });
  }

  /** Until the client has an address of this pool and a way out. */
  async leased(pool: Pool): Promise<void> {
    await this.gateway.until(
      `an address of 10.77.0.${pool}x`,
      `ip -4 -o address show wan0 | grep -q ' 10.77.0.${pool}' && ip route get 198.41.0.4 2>&1 | grep -q wan0`,
    );
  }

  /** Starts the router, or lets it advertise something else. `more`: of its interface. */
  async advertise(prefix: string, more = ''): Promise<void> {
    await this.provider.sh(`echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
cat >radvd.conf <<'.'
interface isp0 {
  AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvDefaultLifetime ${routerLifetimeS};
  prefix ${prefix} { AdvValidLifetime 3600; AdvPreferredLifetime 1800; };
  ${more}
};
.`);
    if (await this.provider.is('test -e radvd.group && kill -0 "$(cat radvd.group)" 2>/dev/null'))
      await this.provider.sh('kill -HUP "$(cat radvd.group)"');
    else await this.provider.start('radvd', 'radvd -n -C /run/radvd.conf -p /run/radvd.pid -m stderr -d 1');
  }

  /** Until the gateway has an address with this beginning, and a way out with it. */
  async prefixed(prefix: string): Promise<void> {
    await this.gateway.until(
      `an address of ${prefix}`,
      `ip -6 -o address show wan0 scope global -tentative | grep -q ' ${prefix}' && ip -6 route get 2001:503:ba3e::2:30 2>/dev/null | grep -q ' src ${prefix}'`,
    );
  }

  /** Until the gateway's kernel has heard so many more advertisements. */
  async heard(more: number): Promise<void> {
    const count = "awk '/Icmp6InRouterAdvertisements/ {print $2}' /proc/self/net/snmp6";
    const before = Number(await this.gateway.sh(count));
    await this.gateway.until(`${more} advertisements`, `test "$(${count})" -ge ${before + more}`);
  }
}
