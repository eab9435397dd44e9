/** Some eventful days of a gateway, for the pictures: told in seconds, then moved to when they are to have been. */
import { isoTime } from '../../src/core/time.js';
import type { Gateway } from './gateway.js';
import type { HomeAssistant } from './instance.js';
import { type Mark, moveToThePast } from './past.js';
import { counted, measured } from './statistics.js';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** So many hours ago there were outages: those of the story, and older ones, which stand in the statistics only. */
const outagesAgo = [3, 15, 46, 79, 123, 151, 152, 155, 200, 251, 253, 290, 312, 313, 314, 314, 330];

const evidence = {
  kernel: ['Out of memory: Killed process 812 (slirp4netns) total-vm:412316kB'],
  addresses_before: ['eth0 192.0.2.1/24'],
  addresses_after: ['eth0 192.0.2.1/24'],
  routes_before: ['default via 192.0.2.254 dev eth0'],
  routes_after: ['default via 192.0.2.254 dev eth0'],
};

class Story {
  private readonly marks: Mark[];
  private readonly beganMs = Date.now();

  constructor(
    private readonly home: HomeAssistant,
    private readonly gateway: Gateway,
    startedMs: number,
  ) {
    this.marks = [{ real: startedMs, told: startedMs - 8 * day }];
  }

  /** From here on it is so long ago. */
  at(agoMs: number): void {
    const real = Date.now();
    // Some seconds have gone by in the telling.
    this.marks.push({ real, told: this.beganMs - agoMs });
    this.gateway.telling.agoMs = real - (this.beganMs - agoMs);
  }

  async seen(entity: string, state: string): Promise<void> {
    await this.home.waitForState(`${entity.replace('.', `.${this.gateway.node}_`)}`, state);
  }

  async told(id: string): Promise<void> {
    const entity = `sensor.${this.gateway.node}_last_outage`;
    await this.home.waitForState(entity, ({ attributes }) => attributes.id === id);
  }

  /** Of the stack, which is away meanwhile. */
  async outage(agoMs: number, durationMs: number, attempts = 1): Promise<void> {
    this.at(agoMs);
    await this.gateway.dies();
    await this.seen('binary_sensor.stack_alive', 'off');
    this.at(agoMs - durationMs);
    await this.told(await this.gateway.recovers({ durationMs, attempts }));
    await this.seen('binary_sensor.stack_alive', 'on');
  }

  async brief(agoMs: number, resource: string, durationMs: number): Promise<void> {
    this.at(agoMs);
    const cause = { kind: 'signal', signal: 'SIGSEGV', coreDumped: true } as const;
    await this.told(await this.gateway.diesBriefly({ durationMs }, { resource, cause }));
  }

  async end(): Promise<void> {
    this.marks.push({ real: Date.now(), told: Date.now() });
    this.gateway.telling.agoMs = 0;
    await moveToThePast(this.home, this.marks, `binary_sensor.${this.gateway.node}_stack_alive`);
  }
}

/** @param startedMs When Home Assistant began. */
export async function tellStory(home: HomeAssistant, gateway: Gateway, startedMs: number): Promise<void> {
  const story = new Story(home, gateway, startedMs);
  const { node } = gateway;
  gateway.change({ outages_total: 37, outages_24h: 0, uptime_24h_pct: 100, uptime_30d_pct: 99.981 });
  story.at(6 * day);
  await gateway.reconnect();
  await story.seen('sensor.outages_total', '37');
  await story.brief(5 * day + 3 * hour, 'dnsmasq', 90);
  await story.outage(3 * day + 7 * hour, 12_400, 2);
  await story.brief(2 * day - 2 * hour, 'tcpip', 640);
  await reboot(story, gateway);
  await story.outage(3 * hour + 14 * minute, 21_700);
  const last = gateway.telling.snapshotNow.last_outage;
  gateway.change({
    ...(last === null ? {} : { last_outage: { ...last, evidence } }),
    outages_24h: 2,
    uptime_24h_pct: 99.69,
  });
  await gateway.reconnect();
  await home.waitForState(`sensor.${node}_outages_24h`, '2');
  await story.end();
  const total = gateway.telling.snapshotNow.outages_total;
  const since = (hoursAgo: number) => outagesAgo.filter(ago => ago < hoursAgo).length;
  await counted(home, `sensor.${node}_outages_total`, 15 * 24, ago => total - since(ago));
  await measured(home, `sensor.${node}_uptime_24h`, 15 * 24, ago => (ago % 100 < 24 ? 99.95 : 100));
}

/** The restart does not help, the reboot does. */
async function reboot(story: Story, gateway: Gateway): Promise<void> {
  const ago = 15 * hour;
  story.at(ago);
  const outage = await gateway.dies({}, { reachable: true });
  await story.seen('sensor.recovery', 'restarting');
  story.at(ago - 3 * minute);
  const { bootMs: atMs } = gateway.telling.now();
  gateway.tell(
    {
      ...{ type: 'recovery_failed', outage, resource: 'tcpip', atMs, attempts: 6, next: 'reboot' },
      detail: '6 attempts, and no datagram passes',
    },
    { recovery: 'rebooting' },
  );
  gateway.tell({
    type: 'reboot_intent',
    intent: 'i',
    outage,
    reason: 'tcpip did not come back after 6 attempts',
  });
  await story.seen('sensor.recovery', 'rebooting');
  await gateway.cut();
  await story.seen('sensor.recovery', 'unavailable');
  story.at(ago - 4 * minute - 10_000);
  const reason = 'tcpip did not come back after 6 attempts';
  gateway.telling.append({ type: 'rebooted', intent: 'i', reason, tookMs: 70_000 });
  gateway.change({
    boot: { id: 'next', at: isoTime(gateway.telling.now().wallMs - 40_000), reason, by: 'sockmon' },
    reboot: { allowed: true, detail: 'allowed', left: 2, pending: null },
  });
  await story.told(await gateway.recovers({ durationMs: 250_000, attempts: 6 }));
  await story.seen('binary_sensor.stack_alive', 'on');
}
