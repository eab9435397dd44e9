/** From what zod found to what a person reads: a place in a file, a key, a sentence. */
import type { z } from 'zod';
import type { Fault } from './faults.js';
import type { Layered } from './layers.js';
import { didYouMean } from './nearest.js';
import { keysAt } from './schema.js';
import { type ConfigFile, type Path, pathKey, pathWords, valueAt } from './tree.js';

const urlHint = ', use url: mqtt://HOST:PORT';
const linkHint = ' of an uplink; for an interface of a known name write link: {interface: NAME, …}';
const tcpipFault = 'takes no settings, it is short for [stack, uplink]; write these two, with theirs';
/** Keys that people bring along from other programs. */
const hints: ReadonlyMap<string, string> = new Map([
  ['mqtt.password', ', a password stands in a file of its own: use password_file'],
  ['mqtt.user', ', did you mean "username"?'],
  ['mqtt.host', urlHint],
  ['mqtt.server', urlHint],
  ['mqtt.broker', urlHint],
  ['mqtt.port', urlHint],
  ['restart.interval', ', did you mean "every"?'],
  ['restart.command', ', did you mean "script"?'],
  // A link without the key "interface" has been read as an uplink.
  ...['interface', 'name', 'address', 'default_route'].map(key => [`uplink.${key}`, linkHint] as const),
]);

export type Where = Pick<Fault, 'file' | 'line' | 'column' | 'key'>;

/** Finds where a setting came from: an argument, a variable, or the last file that has it. */
export class Origins {
  constructor(
    private readonly files: readonly ConfigFile[],
    private readonly sources: Layered['sources'],
  ) {}

  /** @param at Whether to point at the key or at its value. */
  where(path: Path, at: 'key' | 'value' = 'value'): Where {
    const source = this.sources.get(pathKey(path));
    if (source) return { ...source, line: null, column: null };
    const key = pathWords(path);
    for (let length = path.length; length > 0; length--) {
      const prefix = path.slice(0, length);
      const file = this.fileOf(prefix);
      const places = file?.places.get(pathKey(prefix));
      if (!file || !places) continue;
      const place = length === path.length ? places[at] : places.key;
      return { file: file.name, ...place, key };
    }
    return this.elsewhere(path, key);
  }

  /** The last file that has a value at the path. */
  fileOf(path: Path): ConfigFile | undefined {
    return this.files.findLast(file => valueAt(file.tree, path) !== undefined);
  }

  /** The folder that a relative path at this setting starts from. */
  folderOf(path: Path, cwd: string): string {
    return this.sources.has(pathKey(path)) ? cwd : (this.fileOf(path)?.folder ?? cwd);
  }

  /** A setting that no file mentions: perhaps a variable made its section exist. */
  private elsewhere(path: Path, key: string): Where {
    const section = path[0];
    for (const [name, source] of this.sources)
      if (section !== undefined && name.startsWith(`${section}\0`))
        return { file: source.file, line: null, column: null, key };
    const file = this.files.at(-1);
    return file
      ? { file: file.name, line: 1, column: 1, key }
      : { file: 'configuration', line: null, column: null, key };
  }
}

type Issue = z.core.$ZodIssue;

export function faultsOf(issues: readonly Issue[], origins: Origins): Fault[] {
  return issues.flatMap(issue => {
    const path = issue.path as Path;
    if (issue.code === 'unrecognized_keys') return issue.keys.map(key => unknownKey(path, key, origins));
    if (issue.code === 'invalid_union') return unionFaults(issue, origins);
    const at = issue.code === 'invalid_key' ? 'key' : 'value';
    return { code: 'CONFIG', ...origins.where(path, at), message: issue.message } as const;
  });
}

function unknownKey(path: Path, key: string, origins: Origins): Fault {
  const known = path.at(-2) === 'watch' ? ['tcpip', ...keysAt(path)] : keysAt(path);
  if (path.at(-2) === 'watch' && key === 'tcpip')
    return { code: 'CONFIG', ...origins.where([...path, key], 'key'), message: tcpipFault };
  const hint = hints.get(`${path.at(-1)}.${key}`) ?? didYouMean(key, known);
  const message = `unknown key${hint || `; expected ${known.join(', ')}`}`;
  return { code: 'CONFIG', ...origins.where([...path, key], 'key'), message };
}

/** Of the alternatives the one that the user tried to write: the one whose complaints lie deepest. */
function unionFaults(issue: Extract<Issue, { code: 'invalid_union' }>, origins: Origins): Fault[] {
  const path = issue.path as Path;
  const tried = issue.errors.find(errors =>
    errors.every(inner => inner.path.length > 0 || inner.code === 'unrecognized_keys'),
  );
  if (!tried || tried.length === 0)
    return [{ code: 'CONFIG', ...origins.where(path), message: issue.message }];
  return faultsOf(
    tried.map(inner => ({ ...inner, path: [...path, ...inner.path] }) as Issue),
    origins,
  );
}
