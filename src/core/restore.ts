/** Taking up a configuration: at start, where the journal says how things stood, and at a reload. Pure. */

import { collectLate } from './evidence.js';
import { beganWallMs, type OutageHistory } from './history.js';
import type { Climb } from './ladder.js';
import { endRecord } from './outage.js';
import type { ResourcePolicy, RestartStep, SensorSpec } from './policy.js';
import { pendingReboot } from './reboot.js';
import { scheduleNext } from './recovery.js';
import {
  type Context,
  type Effect,
  type MachineState,
  type OpenOutage,
  outageOf,
  type ResourceState,
  record,
  type Step,
} from './state.js';

/** Watches what is new or changed, forgets what is gone, leaves the rest alone. */
export function configure(state: MachineState, ctx: Context): Step<MachineState> {
  const isStart = state.resources.size === 0;
  const effects: Effect[] = isStart ? closePastReboot(ctx) : [];
  const resources = new Map<string, ResourceState>();
  for (const resource of state.resources.values()) {
    if (!ctx.policy.resources.some(policy => policy.id === resource.policy.id))
      effects.push(...forget(resource, ctx));
  }
  for (const policy of ctx.policy.resources) {
    const known = state.resources.get(policy.id);
    if (known !== undefined && JSON.stringify(known.policy) === JSON.stringify(policy)) {
      resources.set(policy.id, known);
      continue;
    }
    if (known !== undefined) effects.push({ do: 'unwatch', resource: policy.id });
    const fresh = restore(policy, ctx);
    resources.set(policy.id, fresh);
    effects.push({ do: 'watch', resource: policy.id, policy });
    effects.push(...collectLate(ctx.history.openOutage(policy.id), ctx.now.bootId));
  }
  const reboot = isStart ? pendingReboot(ctx) : state.reboot;
  return { state: { resources, reboot, faults: state.faults }, effects };
}

/** An intent of another boot: the reboot has come. */
function closePastReboot(ctx: Context): Effect[] {
  const pending = ctx.history.pendingIntent;
  if (pending === null || pending.bootId === ctx.now.bootId) return [];
  const tookMs = ctx.now.synced && pending.synced ? Math.max(0, ctx.now.wallMs - pending.wallMs) : null;
  return [record({ type: 'rebooted', intent: pending.intent, reason: pending.reason, tookMs })];
}

function forget(resource: ResourceState, ctx: Context): Effect[] {
  const outage = outageOf(resource.phase);
  const unwatch: Effect = { do: 'unwatch', resource: resource.policy.id };
  return outage === null
    ? [unwatch]
    : [endRecord(resource.policy.id, outage, ctx.now.bootMs, ctx, true), unwatch];
}

function restore(policy: ResourcePolicy, ctx: Context): ResourceState {
  const { history, now } = ctx;
  const fresh: ResourceState = {
    policy,
    sensors: policy.sensors.map(spec => ({
      name: sensorName(spec),
      state: 'absent',
      detail: '',
      carrier: null,
      interface: null,
      diedMs: null,
      waiting: null,
    })),
    phase: { name: 'absent', sinceMs: now.bootMs },
    leftovers: [],
    expected: history.seen.get(policy.id) === now.bootId,
    outagesBegun: history.outagesOf(policy.id),
    relapses: 0,
    recoveredMs: null,
    flapping: false,
    risingMs: null,
    armed: null,
    reviewAtMs: null,
    drill: null,
  };
  const open = history.openOutage(policy.id);
  return open === undefined ? fresh : resume(fresh, open, ctx);
}

/** Goes on with an outage where the journal leaves it. A new boot gets a ladder of its own, after it had time to bring things up. */
function resume(fresh: ResourceState, open: OutageHistory, ctx: Context): ResourceState {
  const { now } = ctx;
  const sameBoot = open.begin.bootId === now.bootId;
  const outage: OpenOutage = {
    id: open.id,
    beganMs: sameBoot ? open.begin.atMs : now.bootMs - (now.wallMs - beganWallMs(open, now)),
    cause: open.cause,
    sensor: open.sensor,
    attempts: open.attempts,
    lastAttemptMs: open.lastAttemptBootId === now.bootId ? open.lastAttemptMs : null,
    lastResult: open.lastResult ?? { kind: 'unknown' },
    climb: climbOf(fresh.policy.steps, open),
    vetoed: open.vetoed,
    resumed: true,
    timeUncertain: !sameBoot && !(now.synced && open.begin.synced),
    failed: open.failed,
    refusal: null,
    root: open.root,
    quiet: open.begin.quiet ?? false,
    drill: open.begin.drill ?? false,
    command: null,
  };
  const pending = ctx.history.pendingIntent;
  if (pending?.bootId === now.bootId && pending.outage === open.id) {
    const phase = { name: 'rebooting', sinceMs: now.bootMs, outage, intent: pending.intent } as const;
    return { ...fresh, expected: false, phase };
  }
  const settling = scheduleNext({ ...fresh, expected: false }, outage, now.bootMs).state;
  const [first] = fresh.policy.steps;
  if (first === undefined || outage.lastAttemptMs !== null || (sameBoot && outage.attempts === 0))
    return settling;
  const next = { kind: 'attempt', atMs: now.bootMs + first.everyMs, step: 0 } as const;
  const anew = { ...outage, climb: { step: 0, attempts: 0, beganMs: now.bootMs } };
  return { ...settling, phase: { name: 'settling', sinceMs: now.bootMs, outage: anew, next } };
}

/** Where the last attempt stood; a step that is no longer configured counts as the first. */
function climbOf(steps: readonly RestartStep[], open: OutageHistory): Climb {
  const step = Math.max(
    0,
    steps.findIndex(({ name }) => name === open.step),
  );
  return { step, attempts: open.stepAttempts, beganMs: open.stepBeganMs };
}

/** `process slirp4netns`, `link default`, `stack`: how a sensor is called in messages. */
export function sensorName(spec: SensorSpec): string {
  switch (spec.kind) {
    case 'process':
      return `process ${spec.name ?? spec.pidfile ?? spec.listen ?? ''}`;
    case 'link':
      return `link ${spec.interface ?? 'default'}`;
    case 'stack':
      return 'stack';
  }
}
