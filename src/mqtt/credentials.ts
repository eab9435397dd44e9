/** What we prove ourselves and the broker with, read again for each connection: certificates that live a day are renewed on the disk. */
import { readFile } from 'node:fs/promises';
import type { MqttSettings } from '../core/policy.js';
import type { Log } from '../core/ports.js';

export type Credentials = Pick<MqttSettings, 'password' | 'tls'>;

/** A file of a network folder that hangs must not keep us from the broker. */
const readWithinMs = 2000;

type Name = keyof MqttSettings['secretFiles'];

export class CredentialFiles {
  readonly #settings: MqttSettings;
  readonly #log: Log;
  readonly #last: Map<Name, Buffer>;
  /** Told once for each run of failures. */
  readonly #missed = new Set<Name>();

  constructor(settings: MqttSettings, log: Log) {
    this.#settings = settings;
    this.#log = log;
    this.#last = new Map();
  }

  /** What cannot be read stays as it was read last. Never rejects. */
  async read(): Promise<Credentials> {
    const { password, tls } = this.#settings;
    const [newPassword, ca, cert, key] = await Promise.all([
      this.#file('password'),
      this.#file('ca'),
      this.#file('cert'),
      this.#file('key'),
    ]);
    return {
      password: newPassword === null ? password : newPassword.toString('utf8').replace(/\r?\n$/, ''),
      tls: { ...tls, ca: ca ?? tls.ca, cert: cert ?? tls.cert, key: key ?? tls.key },
    };
  }

  /** null: as at the start. */
  async #file(name: Name): Promise<Buffer | null> {
    const path = this.#settings.secretFiles[name];
    if (path === null) return null;
    try {
      const bytes = await readSoon(path);
      if (bytes.length === 0) throw new Error('it is empty');
      this.#last.set(name, bytes);
      this.#missed.delete(name);
    } catch (error) {
      if (!this.#missed.has(name)) {
        this.#log.warn(
          { file: path, error: (error as Error).message },
          `${path} cannot be read again (${(error as Error).message}); what was read before is used for the broker.`,
        );
      }
      this.#missed.add(name);
    }
    return this.#last.get(name) ?? null;
  }
}

/** A read that hangs cannot be stopped: its thread is lost until the folder answers. */
function readSoon(path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('it does not come')), readWithinMs);
    readFile(path)
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  });
}
