/** Which version of MQTT the next attempt speaks, where the owner leaves it to us. Pure. */
import type { MqttSettings } from '../core/policy.js';

export type Protocol = 4 | 5;

/**
 * unsupported: the broker says so. closed_early: it hangs up without a CONNACK (RabbitMQ before 3.13). silent: it neither answers nor
 * closes (amqtt).
 */
export type VersionSign = 'unsupported' | 'closed_early' | 'silent';

/** How many signs in a row it takes. One hang-up may be a broker that restarts; silence has been waited for long enough. */
const signsNeeded = { closed_early: 2, silent: 1 } as const;
/** Of a version that this broker has spoken: it restarts, is frozen, or a proxy stands before it. But it may have been replaced, too. */
const signsAgainstKnown = 4;

export class Version {
  readonly #isFixed: boolean;
  readonly #spoken = new Set<Protocol>();
  #now: Protocol;
  #signs = 0;

  constructor(setting: MqttSettings['protocol']) {
    this.#isFixed = setting !== 'auto';
    this.#now = setting === '3.1.1' ? 4 : 5;
  }

  get now(): Protocol {
    return this.#now;
  }

  /** For people. */
  get name(): '5' | '3.1.1' {
    return this.#now === 5 ? '5' : '3.1.1';
  }

  connected(): void {
    this.#spoken.add(this.#now);
    this.#signs = 0;
  }

  /**
   * An attempt has ended.
   * @param sign null: of something that says nothing about versions.
   * @returns whether the next attempt is by the other one.
   */
  ended(sign: VersionSign | null): boolean {
    if (this.#isFixed) return false;
    if (sign === null) this.#signs = 0;
    else if (sign === 'unsupported') return this.#now === 5 && this.#change();
    else {
      this.#signs += 1;
      const needed = this.#spoken.has(this.#now) ? signsAgainstKnown : signsNeeded[sign];
      if (this.#signs >= needed) return this.#change();
    }
    return false;
  }

  #change(): true {
    this.#signs = 0;
    this.#now = this.#now === 5 ? 4 : 5;
    return true;
  }
}
