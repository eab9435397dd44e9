/** Evidence that the machine asks for, and what has been found until it is told: nothing waits for it. */
import type { Effect, Input } from '../core/input.js';
import type { Evidence, EvidencePort, Log } from '../core/ports.js';

type Wanted = Extract<Effect, { do: 'collect' }>;

export class EvidenceQueue {
  /** Not told yet. */
  private readonly found: Input[] = [];

  /** @param tell Gets all that was found in one turn of the loop: 3,000 deaths at once leave 3,000 pictures, which go to the disk in one. */
  constructor(
    private readonly evidence: EvidencePort,
    private readonly log: Log,
    private readonly tell: (inputs: readonly Input[]) => void,
  ) {}

  /** Of the living at once, before anything else: it is cheap, and a disk can take longer than they live. */
  picture(effects: readonly Effect[]): void {
    for (const effect of effects)
      if (effect.do === 'collect' && effect.when === 'alive') void this.collect(effect);
  }

  /** What a death leaves behind, after everything else of this turn: neither a restart nor a message waits for it. */
  look(wanted: Wanted): void {
    if (wanted.when !== 'alive') setImmediate(() => void this.collect(wanted));
  }

  private async collect(wanted: Wanted): Promise<void> {
    const { resource, outage, when } = wanted;
    let evidence: Evidence;
    try {
      evidence = await this.evidence.collect(resource, when, wanted.when === 'alive' ? {} : wanted);
    } catch (error) {
      this.log.debug({ err: error, outage }, 'the evidence could not be collected');
      return;
    }
    if (outage === null) return;
    const told = this.found.push({ kind: 'evidence', resource, outage, when, evidence });
    if (told === 1) setImmediate(() => this.tell(this.found.splice(0)));
  }
}
