/** What the schema cannot see in one place: the names of the steps, the names in `needs`, and whether a budget is enough. Pure. */
import { basename } from 'node:path';
import { formatDuration } from '../base/duration.js';
import type { RestartStep } from '../core/policy.js';
import { slug } from '../homeassistant/slug.js';
import { unitName } from '../sensors/unit.js';
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

/** Its name, or that of its script or unit made safe: `/etc/sockmon/restart-ppp.sh` is the step `restart-ppp`. */
export function stepName({ script, unit, name }: Pick<StepSettings, 'script' | 'unit' | 'name'>): string {
  if (name !== undefined) return name;
  const safe = (unit === undefined ? basename(script ?? '') : unitName(unit.name))
    .replace(/(?<=.)\.[^.]*$/, '')
    .replace(/[^a-zA-Z0-9_-]/g, '_');
  return safe.slice(0, 64) || 'restart';
}

/** Home Assistant writes `wan-1`, `wan_1` and `Wan_1` alike, and gives the entities of the second and third other names than ours. */
export function twinFindings(resources: Tree): Finding[] {
  const first = new Map<string, string>();
  return Object.keys(resources).flatMap(id => {
    const twin = first.get(slug(id));
    if (twin === undefined) {
      first.set(slug(id), id);
      return [];
    }
    const message = `cannot be told from ${twin} by Home Assistant, to which both are ${slug(id)}; give one of them another name`;
    return [{ path: ['resources', id], message }];
  });
}

/** A step is known by its name: in the journal, to the scripts, and to find it again after a restart of sockmon. */
export function nameFindings(resources: Tree): Finding[] {
  return Object.entries(resources).flatMap(([id, resource]) => {
    const restart = isTree(resource) ? resource.restart : undefined;
    if (Array.isArray(restart) && restart.length === 0) {
      const message = 'is an empty list; expected at least one step, or no restart at all';
      return [{ path: ['resources', id, 'restart'], message }];
    }
    const taken = new Set<string>();
    return rawSteps(id, restart).flatMap(({ path, step: { script, unit, name } }) => {
      const named = isTree(unit) && typeof unit.name === 'string' ? { name: unit.name } : undefined;
      if ((typeof script !== 'string' && named === undefined) || !isNameOrNone(name)) return [];
      const ofUnit = named && { ...named, manager: 'system' as const };
      const known = stepName({ script: typeof script === 'string' ? script : undefined, unit: ofUnit, name });
      if (!taken.has(known)) {
        taken.add(known);
        return [];
      }
      const message = `is called "${known}" like a step before it; give it a name of its own`;
      const key = name !== undefined ? 'name' : named === undefined ? 'script' : 'unit';
      return [{ path: [...path, key], message }];
    });
  });
}

function isNameOrNone(name: TreeValue | undefined): name is string | undefined {
  return name === undefined || typeof name === 'string';
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
