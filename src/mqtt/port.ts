/** What the end of a connection alone does not tell, a look at the port may. */
import { isAnswered, speaksTls, type Way } from './dial.js';
import type { End } from './ending.js';
import { tlsIsThereWords } from './failure-words.js';

export class Port {
  /** Where plain MQTT is hung up on; null = nobody has looked. */
  #isTlsThere: boolean | null = null;

  /** By plain MQTT or whatever else: it can be done. */
  connected(): void {
    this.#isTlsThere = null;
  }

  /** @returns the end, with what was seen. Never rejects; takes two seconds at most. */
  async look(way: Way, end: End, signal: AbortSignal): Promise<End> {
    const { endpoint } = way;
    // A broker that gave our place to a rival listens on, while one that is being restarted does not. It has to be asked at once: a second
    // later it may listen again.
    if (end.ending === 'hung_up' && end.livedMs !== null)
      return (await isAnswered(way, signal)) ? end : { ...end, livedMs: null };
    if (end.ending !== 'closed_early' || endpoint.kind === 'unix' || endpoint.tls) return end;
    this.#isTlsThere ??= await speaksTls(way, signal);
    return this.#isTlsThere ? { ...end, ending: 'unreachable', words: tlsIsThereWords(endpoint) } : end;
  }
}
