/**
 * The word on the status topic: told when it changes, and put right when somebody else has the last word there. A will of an earlier
 * connection may come after our first word (seen with ejabberd, mochi, moquette and rumqttd), and would stand there for as long as we live.
 */

export interface StatusWordTimes {
  /** From a word that is not ours to ours: several wills at once are answered once, and our own words of before are no reason. */
  readonly healMs: number;
  /** So often at once; then each wait is twice the one before: two daemons of one node would answer each other for ever. */
  readonly quickHeals: number;
  readonly longestHealMs: number;
  /** So long the last word was ours, and the next one of somebody else is answered at once again. */
  readonly calmMs: number;
  /** Our own word has not come back from the broker: it is told once more. */
  readonly echoMs: number;
}

export const statusWordTimes: StatusWordTimes = {
  healMs: 100,
  quickHeals: 3,
  longestHealMs: 60_000,
  calmMs: 60_000,
  echoMs: 2000,
};

/** `offline` is never true while we live. Another word may be that of a second daemon, which would not give in either. */
const argumentsAtMost = 6;

export interface StatusWordOptions {
  /** Publishes the word, before all that waits. */
  readonly say: (word: string) => void;
  /** Somebody else goes on saying another word, and is not argued with any more. Told once, until the last word has been ours for a while. */
  readonly gaveIn?: (word: string) => void;
  readonly times?: StatusWordTimes;
  /** Monotonic, in ms. */
  readonly nowMs?: () => number;
}

export class StatusWord {
  readonly #say: (word: string) => void;
  readonly #gaveIn: (word: string) => void;
  readonly #times: StatusWordTimes;
  readonly #nowMs: () => number;
  #word = '';
  /** Last heard from the broker; null = nothing, which some of them never let us. */
  #heard: string | null = null;
  #saidAgain = false;
  #heals = 0;
  #hasGivenIn = false;
  #calmSinceMs: number | null = null;
  #timer: NodeJS.Timeout | undefined;
  /** What the timer is for; else our own word is waited for. */
  #isHealing = false;
  #isOver = false;

  constructor({
    say,
    gaveIn = () => {},
    times = statusWordTimes,
    nowMs = () => performance.now(),
  }: StatusWordOptions) {
    this.#say = say;
    this.#gaveIn = gaveIn;
    this.#times = times;
    this.#nowMs = nowMs;
  }

  /** @returns whether it is another one. */
  tell(word: string): boolean {
    const isNews = word !== this.#word;
    if (isNews) this.#speak(word);
    return isNews;
  }

  again(): void {
    if (this.#word !== '') this.#speak(this.#word);
  }

  /** What the broker passes on or has stored, ours and that of others, in its order. */
  heard(word: string): void {
    this.#heard = word;
    if (this.#isOver || this.#word === '') return;
    if (word === this.#word) {
      this.#calmSinceMs ??= this.#nowMs();
      this.#clear();
      return;
    }
    if (this.#calmSinceMs !== null && this.#nowMs() - this.#calmSinceMs >= this.#times.calmMs) {
      this.#heals = 0;
      this.#hasGivenIn = false;
    }
    this.#calmSinceMs = null;
    if (word !== 'offline' && this.#heals >= argumentsAtMost) {
      this.#clear();
      if (!this.#hasGivenIn) this.#gaveIn(word);
      this.#hasGivenIn = true;
      return;
    }
    if (this.#isHealing) return;
    this.#isHealing = true;
    this.#after(this.#healMs(), () => {
      this.#heals += 1;
      this.#speak(this.#word);
    });
  }

  end(): void {
    this.#isOver = true;
    this.#clear();
  }

  #speak(word: string): void {
    if (this.#isOver) return;
    if (word !== this.#word) this.#saidAgain = false;
    this.#word = word;
    this.#clear();
    this.#say(word);
    // Who may not read the topic never hears it back: for him it is said twice, and no more.
    if (this.#saidAgain) return;
    this.#after(this.#times.echoMs, () => {
      this.#saidAgain = true;
      if (this.#heard !== this.#word) this.#speak(this.#word);
    });
  }

  #healMs(): number {
    const { healMs, quickHeals, longestHealMs } = this.#times;
    return Math.min(longestHealMs, healMs * 2 ** Math.max(0, this.#heals - quickHeals));
  }

  #clear(): void {
    clearTimeout(this.#timer);
    this.#isHealing = false;
  }

  #after(delayMs: number, work: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(work, delayMs);
    this.#timer.unref();
  }
}
