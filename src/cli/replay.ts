/** `sockmon replay FILE`: what another policy would have done in recorded outages. Nothing is started, killed or rebooted. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { SockmonError } from '../base/errors.js';
import { printable } from '../base/printable.js';
import { loadConfig, policyOf } from '../config/load.js';
import { wholeHistory } from '../core/history.js';
import type { Policy } from '../core/policy.js';
import type { JournalEntry } from '../core/records.js';
import { durationWords } from '../core/words.js';
import { parseJournal } from '../journal/lines.js';
import { factsOf } from '../rehearsal/recording.js';
import { type Rehearsal, rehearse } from '../rehearsal/rehearse.js';
import type { Io } from './io.js';
import { recordedRole } from './journal-reader.js';
import { rows } from './table.js';

export interface ReplayOptions {
  readonly config?: readonly string[];
  readonly neverBack?: true;
  readonly allowReboot?: true;
  readonly json?: true;
}

/** @throws SockmonError RECORDING, ConfigError. */
export function replay(file: string, options: ReplayOptions, io: Io): number {
  const entries = readRecording(file, io);
  const recorded = wholeHistory(entries).outages;
  const named = policyFor(options, entries, io);
  const policy = options.allowReboot ? { ...named, reboot: { ...named.reboot, allowed: true } } : named;
  const known = new Set(policy.resources.map(({ id }) => id));
  const ignored = [...new Set(recorded.map(({ resource }) => resource))].filter(id => !known.has(id));
  const facts = factsOf(entries, options.neverBack).filter(({ resource }) => known.has(resource));
  if (facts.length === 0) {
    const words = `${file} tells of no death of what the policy watches (${[...known].join(', ')}).`;
    throw new SockmonError('RECORDING', words);
  }
  const rehearsal = rehearse(facts, policy);
  const began_at = new Date(facts[0]?.wallMs ?? 0).toISOString();
  const assumed = assumption(options);
  if (options.json) io.out(`${JSON.stringify({ began_at, assumed, ignored, ...rehearsal }, null, 2)}\n`);
  else io.out(replayText({ file, began_at, assumed, ignored }, rehearsal));
  return 0;
}

function readRecording(file: string, io: Io): JournalEntry[] {
  try {
    const { entries } = parseJournal(readFileSync(resolve(io.cwd, file)));
    if (entries.length > 0) return entries;
  } catch (error) {
    const words = `${file} cannot be read (${(error as Error).message}). Expected a journal, or lines of one.`;
    throw new SockmonError('RECORDING', words, { cause: error });
  }
  const words = `${file} holds no line of a journal. Take the file "journal" of the state folder, or: grep OUTAGE journal > FILE`;
  throw new SockmonError('RECORDING', words);
}

function policyFor({ config }: ReplayOptions, entries: readonly JournalEntry[], io: Io): Policy {
  if (config === undefined) return defaultPolicy(entries);
  const { policy } = loadConfig({ files: config, env: io.env, cwd: io.cwd, policyOnly: true });
  return policy;
}

/** Without a configuration: every resource of the recording, with the first script it ran and the defaults. */
function defaultPolicy(entries: readonly JournalEntry[]): Policy {
  const scripts = new Map(
    entries
      .flatMap(entry => (entry.type === 'attempt' ? [[entry.resource, entry.script] as const] : []))
      .reverse(),
  );
  const resources = wholeHistory(entries).outages.map(outage => {
    const { resource: id } = outage;
    const role = recordedRole(outage);
    const watch = [{ process: { name: id } }];
    const script = scripts.get(id);
    return [id, { watch, role, ...(script !== undefined && { restart: { script } }) }] as const;
  });
  return policyOf({ resources: Object.fromEntries(resources) });
}

function assumption({ neverBack }: ReplayOptions): string {
  const back = neverBack
    ? 'What died stays dead unless the machine is rebooted'
    : 'Everything dies and comes back when it did in the recording, or with a reboot';
  return `${back}; scripts take as long, and end, as they did.`;
}

interface Heading {
  readonly file: string;
  readonly began_at: string;
  readonly assumed: string;
  readonly ignored: readonly string[];
}

function replayText({ file, began_at, assumed, ignored }: Heading, rehearsal: Rehearsal): string {
  const { moments, attempts, attempts_by_step, reboots, reboots_refused, ended } = rehearsal;
  const left =
    ignored.length === 0 ? '' : `Not in the policy, left out: ${ignored.map(printable).join(', ')}\n`;
  const steps = Object.entries(attempts_by_step).map(([step, count]) => `${step} ${count}`);
  return [
    `What would have happened in ${file}, from ${began_at} on. Nothing is done to this machine.\n${assumed}\n${left}`,
    rows(moments.map(({ after_s, text }) => [`+${durationWords(after_s * 1000)}`, printable(text)])),
    rows([
      ['attempts', steps.length === 0 ? String(attempts) : `${attempts} (${steps.join(', ')})`],
      ['reboots', `${reboots}, refused: ${reboots_refused}`],
      [
        'at the end',
        Object.entries(ended)
          .map(([id, phase]) => `${id} ${phase}`)
          .join(', '),
      ],
    ]),
  ].join('\n');
}
