/** What is listened to over one connection, but for discovery: the status, the commands and Home Assistant's birth message. */
import type { Log } from '../core/ports.js';
import type { Connection } from './connection.js';
import type { Refused } from './sender.js';
import type { BothClocks, Stored } from './stored.js';
import type { Topics } from './topics.js';

export interface SubscriptionsOptions {
  readonly connection: Pick<Connection, 'subscribe'>;
  readonly topics: Topics;
  readonly log: Log;
  /** Is told when the commands are subscribed to. */
  readonly stored: Stored;
  readonly now: () => BothClocks;
}

/** The options of a subscription (MQTT 5, 3.8.3.1). */
interface Filter {
  readonly qos: 1;
  readonly rap?: boolean;
  readonly rh?: 0 | 2;
  readonly nl?: boolean;
}

export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  readonly #wanted: Readonly<Record<string, Filter>>;
  readonly #answered = new Set<string>();

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
    const { status, reboot, run, birth } = options.topics;
    // rh 0: what lies there is seen, refused and taken away; unseen it would stay for ever. rap: a live message keeps its retain flag, so that it
    // can be refused. nl: not our own; but our own status is to be heard.
    const toCommands = { qos: 1, rap: true, rh: 0, nl: true } as const;
    this.#wanted = {
      [status]: { qos: 1 },
      [reboot]: toCommands,
      [run]: toCommands,
      ...(birth === null ? {} : { [birth]: { qos: 1, rh: 2 } }),
    };
  }

  /** Subscribes to what the broker has not answered over this connection: at first all of it, then what was left out for a time. */
  ask(): void {
    const { connection, topics, stored, now } = this.#options;
    const open = Object.entries(this.#wanted).filter(([filter]) => !this.#answered.has(filter));
    const filters = Object.fromEntries(open);
    if (open.length === 0) return;
    if (topics.run in filters) stored.subscribed(now());
    connection.subscribe(filters, (answered, refused) => {
      for (const filter of answered) this.#answered.add(filter);
      if (answered.includes(topics.run)) stored.acknowledged(now());
      if (refused !== null) this.#tell(refused);
    });
  }

  #tell({ filters, words }: Refused): void {
    const sentences = new Set(filters.map(filter => this.#nextStep(filter)));
    this.#options.log.warn(
      { topics: filters, error: words },
      `The broker refuses a subscription (${words}). ${[...sentences].join(' ')}`,
    );
  }

  #nextStep(filter: string): string {
    const { status, commands, birth } = this.#options.topics;
    if (filter === status)
      return `Let this user read ${status}, or a late "offline" of an earlier connection stays there.`;
    if (filter === birth)
      return `Let this user read ${birth}, or Home Assistant is not told anew when it has been restarted.`;
    return `Let this user read ${commands}, or no command will arrive.`;
  }
}
