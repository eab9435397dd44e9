/** What the schema cannot see in one place: the names of the steps, the names in `needs`, and whether a budget is enough. Pure. */
import { basename } from 'node:path';
import { formatDuration } from '../core/duration.js';
import type { RestartStep } from '../core/policy.js';
import { didYouMean } from './nearest.js';
import type { StepSettings } from './schema.js';
import { isTree, type Path, type Tree, type TreeValue } from './tree.js';

export interface Finding {
  readonly path: Path;
  readonly message: string;
}

/** The steps as written, each with where it stands: one mapping, or a list of them. */
export function rawSteps(
  resource: string,
  restart: TreeValue | undefined,
): { readonly path: Path; readonly step: Tree }[] {
  const path = ['resources', resource, 'restart'];
  if (isTree(restart)) return [{ path, step: restart }];
  if (!Array.isArray(restart)) return [];
  return restart.flatMap((step, index) => (isTree(step) ? [{ path: [...path, index], step }] : []));
}

/** Its name, or that of its script made safe: `/etc/sockmon/restart-ppp.sh` is the step `restart-ppp`. */
export function stepName(step: Pick<StepSettings, 'script' | 'name'>): string {
  if (step.name !== undefined) return step.name;
  const safe = basename(step.script)
    .replace(/(?<=.)\.[^.]*$/, '')
    .replace(/[^a-zA-Z0-9_-]/g, '_');
  return safe.slice(0, 64) || 'restart';
}

/** A step is known by its name: in the journal, to the scripts, and to find the rung again after a restart of sockmon. */
export function nameFindings(resources: Tree): Finding[] {
  return Object.entries(resources).flatMap(([id, resource]) => {
    const restart = isTree(resource) ? resource.restart : undefined;
    if (Array.isArray(restart) && restart.length === 0) {
      const message = 'is an empty list; expected at least one step, or no restart at all';
      return [{ path: ['resources', id, 'restart'], message }];
    }
    const taken = new Set<string>();
    return rawSteps(id, restart).flatMap(({ path, step: { script, name } }) => {
      if (typeof script !== 'string' || !(name === undefined || typeof name === 'string')) return [];
      const known = stepName({ script, name });
      if (!taken.has(known)) {
        taken.add(known);
        return [];
      }
      const message = `is called "${known}" like a step before it; give it a name of its own`;
      return [{ path: [...path, name === undefined ? 'script' : 'name'], message }];
    });
  });
}

/** Names nobody bears, and circles: in one, nothing would ever be restarted first. */
export function needsFindings(resources: Tree): Finding[] {
  const ids = Object.keys(resources);
  const needs = new Map(ids.map(id => [id, needsOf(resources[id])]));
  const findings: Finding[] = [];
  const finished = new Set<string>();
  const visit = (id: string, trail: readonly string[]): void => {
    for (const [index, needed] of (needs.get(id) ?? []).entries()) {
      if (typeof needed !== 'string') continue;
      const path = ['resources', id, 'needs', index];
      const from = trail.indexOf(needed);
      if (needed === id) findings.push({ path, message: 'names the resource itself; remove it' });
      else if (!needs.has(needed)) findings.push({ path, message: unknownWords(needed, ids) });
      else if (from !== -1) findings.push({ path, message: circleWords([...trail.slice(from), needed]) });
      else if (!finished.has(needed)) visit(needed, [...trail, needed]);
    }
    finished.add(id);
  };
  for (const id of ids) if (!finished.has(id)) visit(id, [id]);
  return findings;
}

function needsOf(resource: TreeValue | undefined): readonly TreeValue[] {
  const needs = isTree(resource) ? resource.needs : undefined;
  return Array.isArray(needs) ? needs : [];
}

function unknownWords(name: string, ids: readonly string[]): string {
  const hint = didYouMean(name, ids);
  return `names no resource of this configuration${hint || `; there are: ${ids.join(', ')}`}`;
}

function circleWords(circle: readonly string[]): string {
  return `closes a circle: ${circle.join(' needs ')}; remove one of these needs`;
}

/** The schema's defaults: a wait for scripts that take seconds, a time-out for one that hangs. Who has chosen neither is not warned. */
const usual = { everyMs: 30_000, timeoutMs: 60_000 };

/** Words when a script may take longer than the wait for the next attempt, and somebody has chosen that. */
export function shorterThanTimeout({ name, everyMs, timeoutMs }: RestartStep): string | null {
  const isUsual = everyMs === usual.everyMs && timeoutMs === usual.timeoutMs;
  if (everyMs >= timeoutMs || isUsual) return null;
  const [every, timeout] = [formatDuration(everyMs), formatDuration(timeoutMs)];
  return `every (${every}) of the step ${name} is shorter than its timeout (${timeout}): when the script takes longer than ${every}, the next attempt begins as soon as a second after its end; raise every, or lower timeout`;
}

/** Words when the budget is used up before the ladder is: the reboot behind it would never be asked for in time. */
export function tooSmallBudget(
  steps: readonly RestartStep[],
  budget: { readonly max: number; readonly perMs: number },
): string | null {
  const attempts = steps.reduce((sum, step) => sum + step.attempts, 0);
  const tookMs = steps.reduce((sum, step) => sum + step.attempts * step.everyMs, 0);
  if (attempts <= budget.max || tookMs > budget.perMs) return null;
  return `the steps have ${attempts} attempts, restart_budget.max allows ${budget.max}: the last of them come too late; raise it`;
}
