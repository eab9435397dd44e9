/** Taking up a configuration: at start, where the journal says how things stood, and at a reload. Pure. */
import { faultsLeft } from './detection.js';
import { collectLate } from './evidence.js';
import type { Effect } from './input.js';
import type { NextStep, Progress } from './ladder.js';
import { endRecord } from './outage.js';
import type { OutageHistory } from './outage-history.js';
import { type ResourcePolicy, type RestartStep, sensorsWords } from './policy.js';
import type { EarlierRun } from './ports.js';
import { pendingReboot, rebootDone } from './reboot.js';
import { afresh, scheduleNext } from './recovery.js';
import {
  type Context,
  type MachineState,
  noRepeats,
  type OpenOutage,
  outageOf,
  type ResourceState,
  record,
  type Step,
} from './state.js';
import { takeOver } from './takeover.js';
import { momentOf, spanOf } from './time.js';
import { type Verifying, verifyingDueMs } from './verifying.js';

/** Watches what is new or changed, forgets what is gone, leaves the rest alone. */
export function configure(
  state: MachineState,
  ctx: Context,
  earlier: readonly EarlierRun[] = [],
): Step<MachineState> {
  const isStart = state.resources.size === 0;
  const effects: Effect[] = isStart ? closePastReboot(ctx) : [];
  const resources = new Map<string, ResourceState>();
  if (isStart) effects.push(...forgetGone(ctx));
  const wanted = new Set(ctx.policy.resources.map(({ id }) => id));
  for (const resource of state.resources.values())
    if (!wanted.has(resource.policy.id)) effects.push(...forget(resource, ctx));
  for (const policy of ctx.policy.resources) {
    const known = state.resources.get(policy.id);
    if (known !== undefined && JSON.stringify(known.policy) === JSON.stringify(policy)) {
      resources.set(policy.id, known);
      continue;
    }
    if (known !== undefined && sameSensors(known.policy, policy)) {
      const adopted = adopt(known, policy, ctx);
      resources.set(policy.id, adopted.state);
      effects.push(...adopted.effects);
      continue;
    }
    if (known === undefined) {
      const own = earlier.filter(({ resource }) => resource === policy.id);
      const restored = takeOver(restore(policy, ctx), own, ctx);
      resources.set(policy.id, restored.state);
      effects.push(...restored.effects);
    } else {
      resources.set(policy.id, carryOver(known, policy, ctx));
      effects.push({ do: 'unwatch', resource: policy.id });
    }
    effects.push({ do: 'watch', resource: policy.id, policy });
    effects.push(...collectLate(ctx.history.openOutage(policy.id), ctx.now.bootId));
  }
  const reboot = isStart ? pendingReboot(ctx) : state.reboot;
  const faults = faultsLeft(state, resources, effects);
  state.resources.replaceAll(resources);
  return { state: { ...state, reboot, faults }, effects };
}

/** An intent of another boot: the reboot has come, and whoever commanded it gets his answer. */
function closePastReboot(ctx: Context): Effect[] {
  const { pendingIntent: pending, lastReboot: last, publishedSeq } = ctx.history;
  if (pending === null || pending.bootId === ctx.now.bootId) {
    // sockmon was started again before the broker had taken the event that tells of it.
    const isUntold = last !== null && last.bootId === ctx.now.bootId && last.seq > publishedSeq;
    return isUntold ? rebootDone(last, ctx) : [];
  }
  const tookMs = ctx.now.synced && pending.synced ? Math.max(0, ctx.now.wallMs - pending.wallMs) : null;
  const { intent, reason, command } = pending;
  return [record({ type: 'rebooted', intent, reason, tookMs }), ...rebootDone({ command, tookMs }, ctx)];
}

/** Not watched any more: what becomes of it is nobody's business, also when it is watched again later. */
function forget({ policy: { id }, phase }: ResourceState, ctx: Context): Effect[] {
  const outage = outageOf(phase);
  const end = outage === null ? [] : [endRecord(id, outage, ctx.now.bootMs, ctx, { outcome: 'forgotten' })];
  return [...end, record({ type: 'unwatched', resource: id }), { do: 'unwatch', resource: id }];
}

/** Taken out of the configuration while sockmon did not run: nobody would ever end its outage. */
function forgetGone(ctx: Context): Effect[] {
  const watched = new Set(ctx.policy.resources.map(({ id }) => id));
  return ctx.history.outages
    .filter(({ end, resource }) => end === null && !watched.has(resource))
    .map(open =>
      endRecord(open.resource, reopened([], open, ctx), ctx.now.bootMs, ctx, { outcome: 'forgotten' }),
    );
}

function sameSensors(before: ResourcePolicy, after: ResourcePolicy): boolean {
  return JSON.stringify(before.sensors) === JSON.stringify(after.sensors);
}

/**
 * Another way of restarting what is watched as before: it goes on being watched without a gap. What was given up is tried again, since
 * somebody has cared about it.
 */
function adopt(known: ResourceState, policy: ResourcePolicy, ctx: Context): Step<ResourceState> {
  const { phase } = known;
  const nowMs = ctx.now.bootMs;
  const changed: ResourceState = { ...known, policy, armed: null };
  const effects: Effect[] =
    known.armed === null ? [] : [{ do: 'arm', resource: policy.id, run: null, natures: [] }];
  if (phase.name === 'absent' || phase.name === 'up' || phase.name === 'suspect')
    return { state: changed, effects };
  // What it is verified for does not change with it.
  const { outage } = phase;
  const progress = progressIn(known.policy.steps, policy.steps, outage.progress, nowMs);
  const mapped = { ...outage, progress };
  const isOpen = phase.name === 'settling' || (phase.name === 'held' && phase.held.why !== 'paused');
  if (!isOpen) return { state: { ...changed, phase: { ...phase, outage: mapped } }, effects };
  if (phase.name === 'settling' && progress.attempts > 0)
    return { state: scheduleNext(changed, mapped, nowMs).state, effects };
  const anew = { ...mapped, progress: { step: 0, attempts: 0, beganMs: nowMs } };
  const next = afresh(policy.steps, nowMs);
  return { state: { ...changed, phase: { name: 'settling', sinceMs: nowMs, outage: anew, next } }, effects };
}

/** How far a ladder was gone, on another one that has a step of the same name; else at its foot. */
function progressIn(
  before: readonly RestartStep[],
  after: readonly RestartStep[],
  progress: Progress,
  nowMs: number,
): Progress {
  const step = after.findIndex(({ name }) => name === before[progress.step]?.name);
  return step === -1 ? { step: 0, attempts: 0, beganMs: nowMs } : { ...progress, step };
}

function restore(policy: ResourcePolicy, ctx: Context): ResourceState {
  const { history, now } = ctx;
  const seen = history.seen.get(policy.id);
  const fresh: ResourceState = {
    policy,
    sensors: policy.sensors.map(({ name }) => ({
      name,
      state: 'absent',
      detail: '',
      carrier: null,
      repeats: noRepeats,
      interface: null,
      interfaceIndex: null,
      standby: null,
      families: null,
      ownRun: false,
      servedBy: null,
      diedMs: null,
      waiting: null,
    })),
    phase: { name: 'absent', sinceMs: now.bootMs },
    leftovers: [],
    // What other sensors saw alive need not be there for these: an edited name is no death.
    expected: seen?.bootId === now.bootId && seen.sensors === sensorsWords(policy) && !seen.isExcused,
    outagesBegun: history.outagesOf(policy.id),
    soonDeaths: 0,
    deaths: [],
    recoveredMs: null,
    flapping: false,
    armed: null,
    reviewAtMs: null,
    drill: null,
  };
  const open = history.openOutage(policy.id);
  return open === undefined ? verify(fresh, ctx) : resume(fresh, open, ctx);
}

/** Until when the last run of an outage may go on, where nobody will tell its end; null: it is over, or of another boot. */
function lostUntilMs(policy: ResourcePolicy, outage: OutageHistory, { now }: Context): number | null {
  const { lastAttemptMs: startedMs, lastRunEndMs: endedMs } = outage;
  if (startedMs === null || endedMs !== null || outage.lastAttemptBootId !== now.bootId) return null;
  const step = policy.steps.find(({ name }) => name === outage.step) ?? policy.steps[0];
  return startedMs + (step?.timeoutMs ?? 0) + (step?.graceMs ?? 0);
}

/** It was back when sockmon ended: a script of before may still stop it. */
function verify(fresh: ResourceState, ctx: Context): ResourceState {
  const { policy } = fresh;
  const last = ctx.history.latestOutage(policy.id);
  if (last === undefined || last.end?.outcome !== 'recovered' || last.end.bootId !== ctx.now.bootId)
    return fresh;
  const { sensors = sensorsWords(policy), ownRun: isService = false, atMs: sinceMs } = last.end;
  if (sensors !== sensorsWords(policy) || last.lastAttemptBootId !== ctx.now.bootId) return fresh;
  const outage = { ...reopened(policy.steps, last, ctx), resumed: false };
  const lostMs = lostUntilMs(policy, last, ctx);
  // Who has ended unseen has done so by now; who was not ended at its time was taken for the service.
  const endedMs = last.lastRunEndMs ?? (isService ? sinceMs : Math.min(ctx.now.bootMs, lostMs ?? sinceMs));
  const phase: Verifying = {
    name: 'verifying',
    sinceMs,
    // The run that is the service is not waited for, whoever may have lost it.
    outage: { ...outage, lostRunUntilMs: isService ? null : lostMs },
    run: { kind: 'over', endedMs },
    dip: null,
  };
  return ctx.now.bootMs < verifyingDueMs(phase, policy) ? { ...fresh, phase } : fresh;
}

/** A reload: a script that runs goes on, what keeps dying is still known for it. */
function carryOver(known: ResourceState, policy: ResourcePolicy, ctx: Context): ResourceState {
  const fresh = restore(policy, ctx);
  const { soonDeaths, deaths, recoveredMs, flapping, drill, leftovers, phase } = known;
  const running = phase.name === 'verifying' && phase.run.kind === 'running' ? [phase.run.running] : [];
  const going = [...leftovers, ...running.map(run => ({ ...run, deadlineMs: null }))];
  const carried = { ...fresh, soonDeaths, deaths, recoveredMs, flapping, drill, leftovers: going };
  if (phase.name !== 'restarting') return carried;
  const progress = progressIn(known.policy.steps, policy.steps, phase.outage.progress, ctx.now.bootMs);
  // Its sensors are others: what was rising is looked at anew.
  const outage = { ...phase.outage, progress, risingMs: null };
  return { ...carried, expected: false, phase: { ...phase, outage } };
}

/** Goes on with an outage where the journal leaves it. A new boot gets a ladder of its own, after it had time to bring things up. */
function resume(fresh: ResourceState, open: OutageHistory, ctx: Context): ResourceState {
  const { now } = ctx;
  const sameBoot = open.begin.bootId === now.bootId;
  const lostRunUntilMs = lostUntilMs(fresh.policy, open, ctx);
  const outage = { ...reopened(fresh.policy.steps, open, ctx), lostRunUntilMs };
  const pending = ctx.history.pendingIntent;
  if (pending?.bootId === now.bootId && pending.outage === open.id) {
    const phase = { name: 'rebooting', sinceMs: now.bootMs, outage, intent: pending.intent } as const;
    return { ...fresh, expected: false, phase };
  }
  const settling = (anew: OpenOutage, next: NextStep): ResourceState => ({
    ...fresh,
    expected: false,
    phase: { name: 'settling', sinceMs: now.bootMs, outage: anew, next },
  });
  const [first] = fresh.policy.steps;
  if (first === undefined && !sameBoot) return settling(outage, afresh([], now.bootMs));
  if (first === undefined || outage.lastAttemptMs !== null || (sameBoot && outage.attempts === 0))
    return scheduleNext({ ...fresh, expected: false }, outage, now.bootMs).state;
  const progress = { step: 0, attempts: 0, beganMs: now.bootMs };
  return settling({ ...outage, progress }, afresh(fresh.policy.steps, now.bootMs + first.everyMs));
}

function reopened(steps: readonly RestartStep[], open: OutageHistory, { history, now }: Context): OpenOutage {
  const { begin } = open;
  const origin = begin.bootId === now.bootId ? null : momentOf(begin);
  const atLeastMs = history.elapsedMsAt(now) - open.beganElapsedMs;
  const here = { bootId: now.bootId, atMs: now.bootMs, wallMs: now.wallMs };
  const sinceMs = spanOf(origin, here, atLeastMs, history.seenFrom(now)).durationMs;
  return {
    id: open.id,
    beganMs: origin === null ? begin.atMs : now.bootMs - sinceMs,
    origin,
    cause: open.cause,
    sensor: open.sensor,
    attempts: open.attempts,
    lastAttemptMs: open.lastAttemptBootId === now.bootId ? open.lastAttemptMs : null,
    lastResult: open.lastResult ?? { kind: 'unknown' },
    lastRunEndMs: open.lastAttemptBootId === now.bootId ? open.lastRunEndMs : null,
    lostRunUntilMs: null,
    progress: progressOf(steps, open, now.bootId),
    vetoed: open.vetoed,
    resumed: true,
    beganUnseen: begin.cause.kind === 'unseen',
    givenUp: open.failed ? { refusal: open.refusal } : null,
    overspent: open.overspent,
    root: open.root,
    quiet: open.quiet,
    drill: begin.drill ?? false,
    command: null,
    reopened:
      open.reopenedMs === null
        ? null
        : { atMs: open.reopenedMs, isFirst: open.lives.length === 1, aliveMs: open.aliveMs },
    risingMs: null,
    blamedRun: open.blamedRun,
  };
}

/** Where the last attempt stood; a step that is no longer configured counts as the first. What was given up stays at the top. */
function progressOf(steps: readonly RestartStep[], open: OutageHistory, bootId: string): Progress {
  const top = steps.length - 1;
  if (open.failedBootId === bootId)
    return { step: top, attempts: steps[top]?.attempts ?? 0, beganMs: open.stepBeganMs };
  const step = Math.max(
    0,
    steps.findIndex(({ name }) => name === open.step),
  );
  return { step, attempts: open.stepAttempts, beganMs: open.stepBeganMs };
}
