/** Scripts of an earlier sockmon that go on: what they mean to a sockmon that starts in the middle of them. Pure. */
import { collectFor } from './evidence.js';
import type { Effect, Input } from './input.js';
import { beginRecord, newOutage } from './outage.js';
import { sensorsWords } from './policy.js';
import type { EarlierRun } from './ports.js';
import type { RecordOf } from './records.js';
import { attemptEnd, scheduleNext } from './recovery.js';
import {
  atWork,
  type Context,
  type MachineState,
  type OpenOutage,
  outageOf,
  type Phase,
  phaseOutage,
  type ResourceState,
  type Running,
  record,
  type Step,
} from './state.js';

/**
 * Taken up beside what the journal says of a resource. The script of the latest attempt at its open outage is waited for, and ended at the
 * time that it was given; no second one is run beside it. All others are leftovers: nothing but their end is told. Of one that has ended
 * meanwhile the end is noted, where it is the latest attempt.
 * @param earlier of this resource alone.
 */
export function takeOver(
  fresh: ResourceState,
  earlier: readonly EarlierRun[],
  ctx: Context,
): Step<ResourceState> {
  const effects: Effect[] = [];
  let state = fresh;
  for (const run of earlier.toSorted((a, b) => a.startedMs - b.startedMs)) {
    const step = run.isOver ? isOver(state, run, ctx) : takeOverOne(state, run, ctx);
    state = step.state;
    effects.push(...step.effects);
  }
  return { state, effects };
}

function takeOverOne(state: ResourceState, run: EarlierRun, ctx: Context): Step<ResourceState> {
  const known = ctx.history.outage(run.outage);
  if (known !== undefined && known.end !== null) return afterItsOutage(state, run, known.end.ownRun ?? false);
  const { phase } = state;
  const open = outageOf(phase);
  // An outage that the journal has not heard of yet, or that has left it long ago: the numbers of outages only grow.
  if (known === undefined)
    return open === null && state.expected && isNumberOfNext(run, state)
      ? unrecorded(state, run)
      : leftOver(state, run);
  // While a reboot is on its way nothing is waited for but that.
  const isLate = open === null || run.attempt < open.attempts || phase.name === 'rebooting';
  return isLate ? leftOver(state, run) : goOn(state, open, run);
}

function isNumberOfNext({ outage }: EarlierRun, { policy, outagesBegun }: ResourceState): boolean {
  return outage.endsWith(`-${policy.id}-${outagesBegun + 1}`);
}

/** Its outage is over in the journal, and it is still at work: as the service itself, or a "restart" that is not done yet. */
function afterItsOutage(state: ResourceState, run: EarlierRun, isService: boolean): Step<ResourceState> {
  const { phase } = state;
  const isAwaited =
    phase.name === 'verifying' && phase.outage.id === run.outage && phase.outage.attempts === run.attempt;
  if (!isAwaited) return leftOver(state, run);
  const known = {
    ...phase,
    outage: { ...phase.outage, lostRunUntilMs: null },
    run: { kind: 'running', running: runningOf(run), isService },
  } as const;
  return { state: { ...state, phase: known }, effects: [takenOver(run)] };
}

function takenOver({ outage, resource, attempt, run, pid, startedMs }: EarlierRun): Effect {
  return record({ type: 'run_taken_over', outage, resource, attempt, run, pid, startedMs });
}

function leftOver(state: ResourceState, run: EarlierRun): Step<ResourceState> {
  const leftover = { ...runningOf(run), deadlineMs: null };
  return { state: { ...state, leftovers: [...state.leftovers, leftover] }, effects: [] };
}

/** The reflex had run, and sockmon ended before anything of it was in the journal. When it died is known all the same: just before. */
function unrecorded(state: ResourceState, run: EarlierRun): Step<ResourceState> {
  const { policy, outagesBegun } = state;
  const outage = newOutage(run.outage, run.startedMs, { kind: 'unknown' }, sensorsWords(policy));
  const begun = { ...state, outagesBegun: outagesBegun + 1 };
  const step = goOn(begun, { ...outage, resumed: true }, run);
  const last = collectFor(policy.id, outage, 'before');
  return { state: step.state, effects: [beginRecord(policy, outage), ...step.effects, ...last] };
}

function goOn(state: ResourceState, open: OpenOutage, run: EarlierRun): Step<ResourceState> {
  const isRecorded = run.attempt === open.attempts;
  const effects: Effect[] = isRecorded ? [] : [attemptRecord(run)];
  if (!run.isOver) effects.push(takenOver(run));
  const counted = isRecorded ? open : counting(state, open, run);
  const phase = {
    name: 'restarting',
    sinceMs: run.startedMs,
    outage: { ...counted, lastResult: null, lastRunEndMs: null, lostRunUntilMs: null },
    running: runningOf(run),
  } as const;
  return { state: { ...state, expected: false, phase }, effects };
}

/** The same outage with an attempt more. */
function counting({ policy }: ResourceState, open: OpenOutage, run: EarlierRun): OpenOutage {
  const { attempt, startedMs } = run;
  const step = Math.max(
    0,
    policy.steps.findIndex(({ name }) => name === run.step),
  );
  const { progress: stood } = open;
  const isAnew = stood.attempts === 0 || stood.step !== step;
  const progress = isAnew
    ? { step, attempts: 1, beganMs: startedMs }
    : { ...stood, attempts: stood.attempts + 1 };
  return { ...open, attempts: attempt, lastAttemptMs: startedMs, progress };
}

function attemptRecord({ outage, resource, attempt, run, script, step, startedMs, by }: EarlierRun): Effect {
  return record({ type: 'attempt', outage, resource, attempt, run, script, step, atMs: startedMs, by });
}

function runningOf({ run, outage, attempt, startedMs, deadlineMs, graceMs }: EarlierRun): Running {
  return { run, outage, attempt, startedMs, deadlineMs, timedOut: false, graceMs, before: null };
}

/**
 * It has ended while nobody looked: at the latest by now, and nobody knows how. That of a reflex of which the journal has not heard is all
 * that is left of its death.
 */
function isOver(state: ResourceState, run: EarlierRun, ctx: Context): Step<ResourceState> {
  const { policy, phase } = state;
  const endedMs = ctx.now.bootMs;
  const ended = attemptEnd(policy.id, runningOf(run), { kind: 'unknown' }, '', endedMs);
  const known = ctx.history.outage(run.outage);
  if (known === undefined) {
    if (outageOf(phase) !== null || !state.expected || !isNumberOfNext(run, state))
      return { state, effects: [] };
    const step = unrecorded(state, run);
    const begun = step.state.phase;
    if (begun.name !== 'restarting') return step;
    const outage = { ...begun.outage, lastRunEndMs: endedMs };
    const settled = scheduleNext(step.state, outage, endedMs);
    return { state: settled.state, effects: [...step.effects, ended] };
  }
  const isLatest = known.attempts === run.attempt && known.lastRunEndMs === null;
  if (!isLatest) return { state, effects: [] };
  const outage = phaseOutage(phase);
  if (outage?.id !== run.outage) return { state, effects: [ended] };
  const told = { ...outage, lastRunEndMs: endedMs, lostRunUntilMs: null };
  return { state: { ...state, phase: { ...phase, outage: told } as Phase }, effects: [ended] };
}

/** For a sockmon that starts in the middle of it, should the runtime folder be lost. */
export function onRunStarted(
  resource: ResourceState,
  { run, pid, startTicks }: Extract<Input, { kind: 'run_started' }>,
): Step<ResourceState> {
  const { phase, leftovers, policy } = resource;
  const all = [...atWork(phase), ...leftovers];
  const running = all.find(one => one.run === run);
  if (running === undefined || startTicks === 0) return { state: resource, effects: [] };
  const { outage, deadlineMs, graceMs } = running;
  const known = { outage, resource: policy.id, run, pid, startTicks, graceMs };
  const started = record({ type: 'run_started', ...known, ...(deadlineMs !== null && { deadlineMs }) });
  return { state: resource, effects: [started] };
}

/** Attempts whose scripts are running for an outage that is not over. */
export function attemptsAtWork(state: MachineState): NonNullable<RecordOf<'stop'>['running']> {
  return [...state.resources.values()].flatMap(({ phase, policy }) =>
    atWork(phase).map(({ attempt, run }) => ({ resource: policy.id, attempt, run })),
  );
}
