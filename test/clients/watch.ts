/** What the monitor says of a gateway while its clients do what they do. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { SensorReport, SensorSpec } from '../../native/index.js';
import { until } from '../lab/wait.js';
import { addon, shell } from '../native/helpers.js';
import { Netns } from '../native/netns.js';
import type { Host } from './host.js';

export const uplink: SensorSpec = { kind: 'uplink' };
export const link = (name: string): SensorSpec => ({ kind: 'link', interface: name });

export class Watch {
  private constructor(
    private readonly netns: Netns,
    private readonly count: number,
  ) {}

  /** Watches what is alive by now, with the reflex armed for what is dead at once. */
  static async begin(test: TestContext, host: Host, sensors: SensorSpec[]): Promise<Watch> {
    const netns = new Netns(test, host.pid);
    const first = await netns.watch('r', sensors);
    assert.deepEqual(states(first), states(sensors.map(() => ({ state: 'up' }))), JSON.stringify(first));
    await netns.armReflex('r', shell('reflex', ':'), ['gone', 'exited']);
    return new Watch(netns, sensors.length);
  }

  /** Watches what is not there yet. */
  static async absent(test: TestContext, host: Host, sensor: SensorSpec): Promise<Watch> {
    const netns = new Netns(test, host.pid);
    const first = await netns.watch('r', [sensor]);
    assert.deepEqual(states(first), ['absent'], JSON.stringify(first));
    return new Watch(netns, 1);
  }

  async appears(): Promise<void> {
    await this.netns.recorder.state('up');
  }

  reports(): SensorReport[] {
    return this.netns.recorder.all('sensor');
  }

  /** Everything is up now, and what was missing meanwhile was borne, and back before that time was over. */
  async noOutage(test: TestContext): Promise<void> {
    const now = await this.netns.snapshot('r');
    assert.deepEqual(states(now), Array(this.count).fill('up'), this.story());
    for (const [index, down] of this.reports().entries()) {
      if (down.state !== 'down') continue;
      assert.ok(down.graceMs !== undefined && down.reflex === undefined, `an outage\n${this.story()}`);
      const back = this.reports().find(
        (report, later) => later > index && report.sensor === down.sensor && report.state === 'up',
      );
      const awayMs = (back?.atMs ?? Number.NaN) - down.atMs;
      assert.ok(awayMs < down.graceMs, `away for ${awayMs} ms, an outage\n${this.story()}`);
      test.diagnostic(`${down.reason} for ${awayMs.toFixed(0)} ms`);
    }
  }

  /** A loss for this reason, and what may be renewed is away for longer than it is borne. */
  async outage(reason: RegExp): Promise<SensorReport> {
    const down = await this.down(reason);
    await until('the end of the grace', () => addon.bootTimeMs() > down.atMs + (down.graceMs ?? 0));
    assert.equal((await this.now())[0]?.state, 'down', this.story());
    return down;
  }

  /** The first loss for this reason. */
  down(reason: RegExp): Promise<SensorReport> {
    return this.netns.recorder.next(
      'sensor',
      event => event.state === 'down' && event.sensor === 0 && reason.test(event.reason ?? ''),
    );
  }

  /** The return after it. */
  up(down: SensorReport): Promise<SensorReport> {
    return this.netns.recorder.next(
      'sensor',
      event => event.state === 'up' && event.sensor === down.sensor && event.atMs >= down.atMs,
    );
  }

  now(): Promise<SensorReport[]> {
    return this.netns.snapshot('r');
  }

  private story(): string {
    return this.reports()
      .map(report => JSON.stringify(report))
      .join('\n');
  }
}

function states(reports: readonly { readonly state: string }[]): string[] {
  return reports.map(({ state }) => state);
}
