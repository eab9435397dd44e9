/** Configuration daemons, which take away and put back what they have configured. */
import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { noBox } from '../chaos/box.js';
import { Machine } from '../lab/daemons/machine.js';
import { Host, needsClients } from './host.js';
import { Line } from './line.js';
import { link, uplink, Watch } from './watch.js';

const skip = needsClients();

const methods = {
  4: 'ipv4.method auto ipv4.dhcp-timeout infinity ipv6.method disabled',
  6: 'ipv4.method disabled ipv6.method auto',
};

/** With a message bus of its own, on which everybody may do everything. */
async function startNetworkManager(gateway: Host, families: 4 | 6 = 4): Promise<void> {
  await gateway.sh(`mkdir -p nm/connections nm/conf.d
cat >bus.conf <<'.'
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
.
cat >nm/nm.conf <<'.'
[main]
plugins=keyfile
auth-polkit=false
dhcp=internal
dns=none
no-auto-default=*
[connectivity]
enabled=false
[keyfile]
path=/run/nm/connections
.`);
  await gateway.start('bus', 'dbus-daemon --config-file=/run/bus.conf --nofork --nopidfile');
  await gateway.until('the message bus', 'test -S dbus/system_bus_socket');
  await startAgain(gateway);
  await gateway.sh(`nmcli connection add type ethernet ifname wan0 con-name wan ${methods[families]}`);
}

async function startAgain(gateway: Host): Promise<void> {
  await gateway.start('nm', 'NetworkManager --debug --config /run/nm/nm.conf --config-dir /run/nm/conf.d');
  await gateway.until('NetworkManager', 'nmcli -t -f RUNNING general | grep -qx running');
}

async function managed(test: TestContext, leaseS: number, more = {}): Promise<{ line: Line; watch: Watch }> {
  const line = await Line.open(test);
  await line.serve({ pool: 5, leaseS });
  await startNetworkManager(line.gateway);
  await line.leased(5);
  return { line, watch: await Watch.begin(test, line.gateway, [{ ...uplink, ...more }, link('wan0')]) };
}

async function advertised(test: TestContext): Promise<{ line: Line; watch: Watch }> {
  const line = await Line.open(test, 6);
  await line.advertise('2001:db8:7:7::/64');
  await startNetworkManager(line.gateway, 6);
  await line.prefixed('2001:db8:7:7:');
  return { line, watch: await Watch.begin(test, line.gateway, [uplink, link('wan0')]) };
}

describe('NetworkManager', { skip, concurrency: 3 }, () => {
  it('activates its connection anew, with the same address and another one: no outage', async test => {
    const { line, watch } = await managed(test, 600);
    await line.gateway.sh('nmcli connection up wan');
    await line.leased(5);
    await line.serve({ pool: 6, leaseS: 600 });
    await line.gateway.sh('nmcli connection up wan');
    await line.leased(6);
    await watch.noOutage(test);
  });

  it('reapplies a connection that was changed: no outage', async test => {
    const { line, watch } = await managed(test, 600);
    await line.gateway.sh('nmcli connection modify wan ipv4.route-metric 77; nmcli device reapply wan0');
    await line.gateway.until('the change', "ip route | grep '^default' | grep -q 'metric 77'");
    await watch.noOutage(test);
  });

  it('is killed, and started again: no outage', async test => {
    const { line, watch } = await managed(test, 600);
    await line.gateway.stop('nm', 'SIGKILL');
    // The bus may notice later than we do, and a new one that finds the name taken ends.
    await line.gateway.until('the bus to miss it', '{ nmcli general >nmcli.log 2>&1; test $? -eq 8; }');
    const before = await line.grants();
    await startAgain(line.gateway);
    await line.granted(before + 1);
    await line.leased(5);
    await watch.noOutage(test);
    assert.deepEqual(watch.reports(), [], 'nobody hears of it');
  });

  it('takes the address away from a line without a carrier, and gives it back: no outage', async test => {
    const { line, watch } = await managed(test, 600);
    await line.provider.sh('ip link set isp0 down');
    await line.gateway.until('the address to go', '! ip -4 -o address show wan0 | grep -q inet');
    await line.provider.sh('ip link set isp0 up');
    await line.leased(5);
    await watch.noOutage(test);
  });

  it('activates its connection anew, and hears advertisements again and again, with IPv6 alone: no outage', async test => {
    const { line, watch } = await advertised(test);
    await line.gateway.sh('nmcli connection up wan');
    await line.heard(3);
    await line.prefixed('2001:db8:7:7:');
    await watch.noOutage(test);
  });

  it('hears no router any more, with IPv6 alone: an outage, until there is one', async test => {
    const { line, watch } = await advertised(test);
    await line.provider.stop('radvd', 'SIGKILL');
    const down = await watch.outage(/no_default_route/);
    await line.advertise('2001:db8:7:7::/64');
    await watch.up(down);
  });

  it('is told to take the connection down: an outage, until it is up', async test => {
    const { line, watch } = await managed(test, 600, { renewalMs: 1000 });
    await line.gateway.sh('nmcli connection down wan');
    const down = await watch.outage(/no_(address|default_route)/);
    await line.gateway.sh('nmcli connection up wan');
    await watch.up(down);
  });

  it('hears nothing until the lease is over: an outage, until there is a server again', async test => {
    const { line, watch } = await managed(test, 6, { renewalMs: 1000 });
    await line.goSilent();
    const down = await watch.outage(/no_(address|default_route)/);
    await line.serve({ pool: 5, leaseS: 6 });
    await watch.up(down);
  });
});

const obstacle = skip || noBox();

/** Under a systemd of its own, which is what restarts it. */
describe('systemd-networkd', { skip: obstacle }, () => {
  const machine = new Machine(null);
  let gateway: Host;
  before(async () => {
    await machine.boot();
    gateway = new Host(machine.pid);
  });
  after(() => machine.close());

  async function alive(test: TestContext, leaseS: number, more = {}): Promise<{ line: Line; watch: Watch }> {
    const line = await Line.open(test, 4, gateway);
    await line.serve({ pool: 5, leaseS });
    await restart('DHCP=ipv4\nIPv6AcceptRA=no');
    await line.leased(5);
    return { line, watch: await Watch.begin(test, gateway, [{ ...uplink, ...more }, link('wan0')]) };
  }
  async function advertisedTo(test: TestContext): Promise<{ line: Line; watch: Watch }> {
    const line = await Line.open(test, 6, gateway);
    await line.advertise('2001:db8:7:7::/64');
    await restart('IPv6AcceptRA=yes');
    await line.prefixed('2001:db8:7:7:');
    return { line, watch: await Watch.begin(test, gateway, [uplink, link('wan0')]) };
  }
  /** It is started more often here than its start limit allows, which is reset. */
  async function restart(network: string): Promise<void> {
    machine.write('/run/systemd/network/wan0.network', `[Match]\nName=wan0\n[Network]\n${network}\n`);
    await gateway.sh('systemctl reset-failed systemd-networkd || true; systemctl restart systemd-networkd');
  }

  const renewals = [
    ['is restarted', 'systemctl restart systemd-networkd'],
    ['is killed, and restarted by systemd', 'systemctl kill --signal=KILL systemd-networkd'],
    ['renews its lease', 'networkctl renew wan0'],
    ['configures the interface anew', 'networkctl reconfigure wan0'],
  ] as const;
  for (const [what, command] of renewals)
    it(`${what}: no outage`, async test => {
      const { line, watch } = await alive(test, 600);
      const before = await line.grants();
      await gateway.sh(command);
      await line.granted(before + 1);
      await line.leased(5);
      await watch.noOutage(test);
    });

  it('is given another address: no outage', async test => {
    const { line, watch } = await alive(test, 600);
    await line.serve({ pool: 6, leaseS: 600 });
    await gateway.sh('networkctl reconfigure wan0');
    await line.leased(6);
    await watch.noOutage(test);
  });

  it('is restarted, and hears advertisements again and again, with IPv6 alone: no outage', async test => {
    const { line, watch } = await advertisedTo(test);
    await restart('IPv6AcceptRA=yes');
    await line.heard(3);
    await line.prefixed('2001:db8:7:7:');
    await watch.noOutage(test);
  });

  it('hears no router any more, with IPv6 alone: an outage, until there is one', async test => {
    const { line, watch } = await advertisedTo(test);
    await line.provider.stop('radvd', 'SIGKILL');
    const down = await watch.outage(/no_default_route/);
    await line.advertise('2001:db8:7:7::/64');
    await watch.up(down);
  });

  it('is stopped: an outage, until it is started', async test => {
    const { watch } = await alive(test, 600, { renewalMs: 1000 });
    await gateway.sh('systemctl stop systemd-networkd.socket systemd-networkd');
    const down = await watch.outage(/no_(address|default_route)/);
    await gateway.sh('systemctl start systemd-networkd');
    await watch.up(down);
  });

  it('hears nothing until the lease is over: an outage, until there is a server again', async test => {
    const { line, watch } = await alive(test, 6, { renewalMs: 1000 });
    await line.goSilent();
    const down = await watch.outage(/no_(address|default_route)/);
    await line.serve({ pool: 5, leaseS: 6 });
    await gateway.sh('networkctl reconfigure wan0');
    await watch.up(down);
  });
});
