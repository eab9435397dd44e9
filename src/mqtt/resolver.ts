/** The addresses of the broker's name. Look-ups that a silent name server holds up are shared, not heaped up. */
import dns from 'node:dns';
import { isIP } from 'node:net';

/** The answer of one look-up, as dns.lookup() gives it with `all`. */
export type Lookup = (host: string) => Promise<readonly string[]>;

interface Pending {
  readonly host: string;
  readonly beganMs: number;
  readonly answer: Promise<readonly string[]>;
}

export interface ResolverTimes {
  readonly waitMs: number;
  readonly freshMs: number;
}

/** How long an attempt waits. A first name server that is dead costs 5 s before the second is asked: resolv.conf(5), `timeout`. */
const waitMs = 8000;
/** An older look-up may be in the middle of a list of search domains: a new one asks for the name itself at once. */
const freshMs = 5000;
/** libuv runs getaddrinfo(3) on half of its four threads. A third look-up would only wait behind these. */
const maxPending = 2;

/** By getaddrinfo(3), so that /etc/hosts, mDNS and whatever else nsswitch.conf(5) names count. It cannot be stopped, nor be told a time. */
const systemLookup: Lookup = host =>
  new Promise((resolve, reject) => {
    dns.lookup(host, { all: true }, (error, found) => {
      if (error === null) resolve(found.map(({ address }) => address));
      else reject(error);
    });
  });

export class Resolver {
  readonly #lookup: Lookup;
  readonly #times: ResolverTimes;
  #pending: readonly Pending[] = [];

  constructor(lookup: Lookup = systemLookup, times: ResolverTimes = { waitMs, freshMs }) {
    this.#lookup = lookup;
    this.#times = times;
  }

  /**
   * What one attempt waits for too long the next one finds: it joins the look-ups that are under way.
   * @returns At least one address, in the resolver's order (RFC 6724).
   * @throws Error with the code of getaddrinfo(3): ENOTFOUND, EAI_AGAIN also when it takes too long.
   */
  async addresses(host: string): Promise<readonly string[]> {
    if (isIP(host) !== 0) return [host];
    const answers = this.#asked(host).map(({ answer }) => answer);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = Object.assign(new Error('the look-up takes too long'), { code: 'EAI_AGAIN' });
      timer = setTimeout(() => reject(error), this.#times.waitMs);
    });
    try {
      return await Promise.race([firstOf(answers), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #asked(host: string): readonly Pending[] {
    const nowMs = performance.now();
    const mine = this.#pending.filter(one => one.host === host);
    const isFresh = mine.some(({ beganMs }) => nowMs - beganMs < this.#times.freshMs);
    if (isFresh || mine.length >= maxPending) return mine;
    const answer = this.#lookup(host);
    const pending: Pending = { host, beganMs: nowMs, answer };
    this.#pending = [...this.#pending, pending];
    const forget = (): void => {
      this.#pending = this.#pending.filter(one => one !== pending);
    };
    answer.then(forget, forget);
    return [...mine, pending];
  }
}

async function firstOf(answers: readonly Promise<readonly string[]>[]): Promise<readonly string[]> {
  try {
    return await Promise.any(answers);
  } catch (error) {
    throw error instanceof AggregateError ? error.errors.at(-1) : error;
  }
}
