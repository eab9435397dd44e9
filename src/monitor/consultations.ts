/** Questions of sensors about what the kernel does not know, and who answers them. */
import type { Question } from '../../native/index.js';
import type { Sensor } from '../core/policy.js';
import type { Advice, Adviser } from '../core/ports.js';

export class Consultations {
  /** Ends the answering of a sensor's last question, by resource and index. */
  private readonly open = new Map<string, (() => void)[]>();

  /**
   * @param advisers By the kind of sensor whose questions they answer.
   * @param advise Tells the sensor. May throw what Monitor.advise does.
   */
  constructor(
    private readonly advisers: Readonly<Record<string, Adviser>>,
    private readonly advise: (resource: string, sensor: number, advice: Advice) => void,
  ) {}

  /** A question is put anew by the sensor whenever something has happened: the last one counts. */
  consult({ resource, sensor, pid }: Question, { kind, fields }: Sensor): void {
    const adviser = this.advisers[kind];
    if (adviser === undefined) return;
    const ends = this.open.get(resource) ?? [];
    this.open.set(resource, ends);
    ends[sensor]?.();
    ends[sensor] = adviser.consult(fields, pid ?? null, advice => this.tell(resource, sensor, advice));
  }

  end(resource: string): void {
    for (const end of this.open.get(resource) ?? []) end?.();
    this.open.delete(resource);
  }

  endAll(): void {
    for (const resource of this.open.keys()) this.end(resource);
  }

  private tell(resource: string, sensor: number, advice: Advice): void {
    try {
      this.advise(resource, sensor, advice);
    } catch (error) {
      // A thread that has ended or hangs is told of by its own fault and by the heartbeat.
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ESHUTDOWN' && code !== 'ETIMEDOUT') throw error;
    }
  }
}
