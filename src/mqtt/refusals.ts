/** What a broker refuses over one connection, told once for each topic, with what helps. */
import type { Log } from '../core/ports.js';
import { groupOf } from './left-out.js';
import { TooLarge } from './too-large.js';
import { WasLeftOut } from './was-left-out.js';

export class Refusals {
  readonly #log: Log;
  readonly #told = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  tell(what: string, topic: string, error: Error): void {
    const group = groupOf(topic);
    if (this.#told.has(group) || error instanceof WasLeftOut) return;
    this.#told.add(group);
    const fields = { topic: group, error: error.message };
    const next =
      error instanceof TooLarge ? 'Let the broker take larger packets.' : `Let this user write to ${group}.`;
    this.#log.warn(fields, `The broker refused ${what} (${error.message}). ${next}`);
  }

  clear(): void {
    this.#told.clear();
  }
}
