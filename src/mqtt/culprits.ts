/** What follows from a hang-up for what is sent from then on: a topic is left out, smaller messages are sent, or neither. */
import type { Log } from '../core/ports.js';
import type { Connection } from './connection.js';
import { type LeftOut, leftOutWords } from './left-out.js';
import { type InFlight, Suspects } from './suspects.js';

export interface CulpritsOptions {
  readonly leftOut: LeftOut;
  readonly broker: string;
  readonly log: Log;
  /** A connection that has lived so long with all that it was told is not hung up at for that. */
  readonly calmMs: number;
}

/** How a connection was at its end, which is forgotten when another one is made. */
export interface LastWords {
  readonly inFlight: readonly InFlight[];
  readonly wasCareful: boolean;
  readonly code: number;
  readonly refused: InFlight | null;
}

export function lastWordsOf({ sender, disconnectCode }: Connection): LastWords {
  const { inFlight, isCareful, refused } = sender;
  return { inFlight, wasCareful: isCareful, code: disconnectCode, refused };
}

export class Culprits {
  readonly #options: CulpritsOptions;
  readonly #suspects = new Suspects();
  #calmTimer: NodeJS.Timeout | undefined;

  constructor(options: CulpritsOptions) {
    this.#options = options;
  }

  /** For the next attempt. */
  get rules() {
    const { isCareful, maximumBytes } = this.#suspects;
    const { leftOut } = this.#options;
    const onAcknowledged = (one: InFlight) => this.#suspects.acknowledged(one);
    return { leftOut, isCareful, maximumBytes, onAcknowledged };
  }

  connected({ sender }: Connection): void {
    if (!sender.isCareful) return;
    clearTimeout(this.#calmTimer);
    this.#calmTimer = setTimeout(() => {
      this.#suspects.calm();
      sender.hurry();
    }, this.#options.calmMs);
    this.#calmTimer.unref();
  }

  ended(): void {
    clearTimeout(this.#calmTimer);
  }

  /**
   * The broker has closed a connection, and listens on.
   * @returns blamed: on what it was sent, which is not sent again. suspected: it may be that. null: it is not.
   */
  judge(words: LastWords): 'blamed' | 'suspected' | null {
    const blame = this.#suspects.ended(words);
    if (blame === null || blame.kind === 'suspected') return blame?.kind ?? null;
    const { broker, log, leftOut } = this.#options;
    const { topic, bytes } = blame;
    const fields = { broker, topic, bytes };
    if (blame.kind === 'too_large') {
      log.warn(
        fields,
        `${broker} hangs up at a message of ${bytes} bytes on ${topic}: it is sent no more of that size.`,
      );
      return 'blamed';
    }
    leftOut.add(topic, 'hung_up');
    log.warn(
      fields,
      `${broker} hangs up at ${leftOutWords([topic])}. It is left out for a day: give this user the right to it, and see the broker's log.`,
    );
    return 'blamed';
  }
}
