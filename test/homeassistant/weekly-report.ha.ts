/** The blueprint that reports once a week. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { isoTime } from '../../src/core/time.js';
import { Broker } from '../lab/broker.js';
import { until } from '../lab/wait.js';
import { Automation, blueprintFiles } from './blueprints.js';
import { Gateway } from './gateway.js';
import { HomeAssistant } from './instance.js';
import { Phone } from './phone.js';
import { awayFromTheHour, counted, measured } from './statistics.js';

const alive = 'binary_sensor.gw1_stack_alive';
const total = 'sensor.gw1_outages_total';
const hourMs = 3_600_000;
const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

describe('the weekly report', () => {
  let broker: Broker;
  let home: HomeAssistant;
  let gateway: Gateway;
  let phone: Awaited<ReturnType<typeof Phone.register>>;

  /** @param atMs Home Assistant lives in UTC here. */
  const make = (alias: string, atMs: number, more: object = {}) => {
    const at = new Date(atMs);
    const input = { gateway: alive, phones: [phone.device], at: isoTime(at.getTime()).slice(11, 19) };
    return Automation.from(
      home,
      'weekly_report',
      { ...input, day: weekdays[at.getUTCDay()], ...more },
      alias,
    );
  };
  const now = (automation: Automation) =>
    home.callService('automation', 'trigger', { skip_condition: true }, { entity_id: automation.entity });

  before(async () => {
    broker = await Broker.start();
    home = await HomeAssistant.start({ mqttPort: broker.port, files: blueprintFiles() });
    gateway = await Gateway.start(broker);
    await home.waitForState(alive, 'on');
    await home.waitForState(total, '0');
    phone = await Phone.register(home, 'Pixel');
  });

  after(async () => {
    await home?.stop();
    await gateway?.stop();
    await phone?.close();
    await broker?.stop();
  });

  it('comes at its time on its day, and makes do with what there is in the first week', async () => {
    // Time enough to make both.
    const atMs = Date.now() + 20_000;
    const today = await make('today', atMs);
    const otherDay = weekdays[(new Date().getUTCDay() + 3) % 7];
    const other = await make('another day', atMs, { day: otherDay });
    const { title, message } = await phone.nth(1);
    // At the end of an hour there are statistics already.
    assert.match(title, /^gw1: (the week|a week without an outage)$/);
    assert.match(
      message,
      /^Up 100(\.0)? % of the (last 30 days|time)\.\nLast boot \w+ \d+ \w+, \d\d:\d\d: power was switched on\.$/,
    );
    await today.rest();
    await other.rest();
    await until('the time of the other', () => Date.now() > atMs + 1000);
    assert.equal(phone.pushes.length, 1);
    await today.remove();
    await other.remove();
  });

  it('counts the outages of seven days and tells of the last', async () => {
    await awayFromTheHour();
    // One more each day, and two of them before the seven days.
    await counted(home, total, 9 * 24, ago => 9 - Math.floor(ago / 24));
    await measured(home, 'sensor.gw1_uptime_24h', 9 * 24, ago => (ago <= 84 ? 99.9 : 99.8));
    await gateway.dies();
    await gateway.recovers({ durationMs: 12_300 });
    gateway.change({ problems: ['dnsmasq is down and left alone'] });
    await gateway.reconnect();
    await home.waitForState('binary_sensor.gw1_problem', 'on');
    const automation = await make('report', Date.now() + hourMs, { only_if: true });
    await now(automation);
    const { title, message } = await phone.nth(2);
    assert.equal(title, 'gw1: 7 outages this week');
    const [up, outage, boot, problems] = message.split('\n');
    assert.match(String(up), /^Up 99\.85 % of the time\.$/);
    assert.match(String(outage), /^Last outage \w+ \d+ \w+, \d\d:\d\d, 12\.3 s: tcpip killed by SIGKILL\.$/);
    assert.match(String(boot), /^Last boot /);
    assert.equal(problems, 'Needs attention: dnsmasq is down and left alone');
    await automation.remove();
  });

  it('keeps silent after a week without an outage, where that is wanted, and says that it is down', async () => {
    gateway.change({ problems: [] });
    await gateway.reconnect();
    await home.waitForState('binary_sensor.gw1_problem', 'off');
    await awayFromTheHour();
    await counted(home, total, 9 * 24, () => 9);
    const automation = await make('silent', Date.now() + hourMs, { only_if: true });
    await now(automation);
    assert.equal(phone.pushes.length, 2);
    await gateway.cut();
    await home.waitForState(alive, 'off');
    await now(automation);
    const { title, message } = await phone.nth(3);
    assert.equal(title, 'gw1: a week without an outage');
    assert.match(message, /^It is down now, since /);
    await broker.stop();
    await home.waitForState(alive, 'unavailable');
    await now(automation);
    assert.match((await phone.nth(4)).message, /^Home Assistant does not hear of it now/);
  });

  it('leaves nothing in the log', () => {
    const ours = home.complaints().filter(line => /automation|blueprint|script|template|sockmon/.test(line));
    assert.deepEqual(ours, []);
  });
});
