/**
 * Topics that are not told for a time, because a broker does not acknowledge them (moquette drops a forbidden publish without a word) or hangs up
 * at them. Without it one of them holds up everything behind it, or ends each connection.
 */

/** unacknowledged: that is seen by one connection in an hour. hung_up: to try it again costs two connections, which people see. */
export type LeftOutFor = 'unacknowledged' | 'hung_up';

/** Then it is tried again: somebody may have mended the broker. A changed configuration needs a new start, which tries again too. */
export const leaveOutMs: Readonly<Record<LeftOutFor, number>> = {
  unacknowledged: 3_600_000,
  hung_up: 86_400_000,
};

interface Entry {
  readonly why: LeftOutFor;
  readonly timer: NodeJS.Timeout;
}

export class LeftOut {
  readonly #forMs: Readonly<Record<LeftOutFor, number>>;
  readonly #onOver: () => void;
  readonly #entries = new Map<string, Entry>();

  /** @param onOver A topic may be told again. */
  constructor(forMs: Readonly<Record<LeftOutFor, number>> = leaveOutMs, onOver: () => void = () => {}) {
    this.#forMs = forMs;
    this.#onOver = onOver;
  }

  /** With one of a group, such as the results of commands, all of it is left out. */
  add(topic: string, why: LeftOutFor = 'unacknowledged'): void {
    const group = groupOf(topic);
    clearTimeout(this.#entries.get(group)?.timer);
    const timer = setTimeout(() => {
      this.#entries.delete(group);
      this.#onOver();
    }, this.#forMs[why]);
    timer.unref();
    this.#entries.set(group, { why, timer });
  }

  has(topic: string): boolean {
    return this.#entries.has(groupOf(topic));
  }

  topics(why: LeftOutFor): readonly string[] {
    return [...this.#entries].filter(([, entry]) => entry.why === why).map(([group]) => group);
  }

  /** Forgets everything. */
  stop(): void {
    for (const { timer } of this.#entries.values()) clearTimeout(timer);
    this.#entries.clear();
  }
}

/** Results have topics that are used once; resources and entities have one each, and rights for all of them. */
export function groupOf(topic: string): string {
  return topic
    .replace(/(\/(?:result|resource)\/)[^/]+$/, '$1+')
    .replace(/^(.+)\/(?!device\/)[^/]+\/(sockmon_[^/]+)\/[^/]+\/config$/, '$1/+/$2/+/config');
}

const subscription = 'the subscription to ';

/** A subscription may be what is hung up at, as at RabbitMQ. Those to the topics of commands are one. */
export function subscriptionTo(filter: string): string {
  return `${subscription}${filter.replace(/(\/cmd\/)[^/]+$/, '$1+')}`;
}

/** As a part of a sentence. */
export function leftOutWords(groups: readonly string[]): string {
  const told = groups.filter(group => !group.startsWith(subscription));
  const subscriptions = groups.filter(group => group.startsWith(subscription));
  return [...(told.length === 0 ? [] : [`what is told on ${told.join(', ')}`]), ...subscriptions].join(
    ' and ',
  );
}
