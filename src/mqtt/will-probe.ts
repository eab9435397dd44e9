/**
 * Whether it is the will that is refused. HiveMQ and ejabberd refuse the whole CONNECT for a will on a topic that the user may not write to,
 * with the code of a wrong password. So after the first refusal one attempt is made without it: where that is taken, and the next one with the
 * will is refused again, it was the will. Pure.
 */
import type { Ending } from './ending.js';

type State = 'idle' | 'probe' | 'verify' | 'settled';

export class WillProbe {
  /** idle: no refusal yet. probe: the next attempt is without the will. verify: that one was taken. settled: known, until a connection. */
  #state: State = 'idle';
  #isWill = false;

  /** Whether the next attempt is to be made without the will. */
  get isNext(): boolean {
    return this.#state === 'probe';
  }

  /** An attempt without the will was taken. */
  taken(): void {
    this.#state = 'verify';
  }

  connected(): void {
    this.#state = 'idle';
    this.#isWill = false;
  }

  /**
   * An attempt has ended.
   * @returns the ending as it is to be told. A probe that is refused too is not repeated: some brokers count wrong passwords.
   */
  judge(ending: Ending): Ending {
    if (ending !== 'refused') {
      // Neither refused nor taken: asked again after the next refusal.
      if (this.#state !== 'settled') this.#state = 'idle';
      return ending;
    }
    if (this.#state === 'idle') this.#state = 'probe';
    else {
      if (this.#state === 'verify') this.#isWill = true;
      this.#state = 'settled';
    }
    return this.#isWill ? 'will_refused' : 'refused';
  }
}
