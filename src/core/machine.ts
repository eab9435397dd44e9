/** The machine: a pure function of state, input and what the journal says. Everything that happens is decided here. */
import { isBetterCause } from './cause.js';
import { onCommand } from './commanded.js';
import { allUp, wholeAfterCarrierMs } from './facts.js';
import { isVeto } from './history.js';
import type { JournalRecord } from './model.js';
import { attemptEnd, beginAttempt, enterHeld, giveUp, retryHeld, scheduleNext } from './recovery.js';
import { armEffect, learnCause, onSensor, recover, waitedInVain } from './resource.js';
import { configure } from './restore.js';
import {
  type Context,
  type Effect,
  type Input,
  type MachineState,
  outageOf,
  type ResourceState,
  type Running,
  record,
  type Step,
} from './state.js';
import { eachResource, within } from './within.js';

export const emptyState: MachineState = { resources: new Map(), faults: [] };

export function next(state: MachineState, input: Input, ctx: Context): Step<MachineState> {
  switch (input.kind) {
    case 'sensor':
      return within(state, input.resource, resource => onSensor(resource, input, ctx));
    case 'cause':
      return within(state, input.resource, resource => onCause(resource, input, ctx));
    case 'run_started':
      return { state, effects: [] };
    case 'run_ended':
      return eachResource(state, resource => onRunEnded(resource, input, ctx));
    case 'fault':
      return onFault(state, input, ctx);
    case 'tick':
      return eachResource(state, resource => onTick(resource, ctx));
    case 'command':
      return onCommand(state, input.command, ctx);
    case 'reboot_failed':
      return onRebootFailed(state, input, ctx);
    case 'configure':
      return configure(state, ctx);
  }
}

/** The earliest moment (ms of CLOCK_BOOTTIME) at which a tick would change something; null = none. */
export function nextDeadlineMs(state: MachineState): number | null {
  const deadlines = [...state.resources.values()].flatMap(deadlinesOf);
  return deadlines.length === 0 ? null : Math.min(...deadlines);
}

function deadlinesOf({ phase, sensors }: ResourceState): number[] {
  switch (phase.name) {
    case 'up': {
      const waits = sensors.flatMap(({ waiting }) =>
        waiting === null ? [] : [waiting.sinceMs + wholeAfterCarrierMs],
      );
      return phase.armAtMs === null ? waits : [phase.armAtMs, ...waits];
    }
    case 'restarting':
      return phase.running.deadlineMs === null ? [] : [phase.running.deadlineMs];
    case 'settling':
      return [phase.next.atMs];
    case 'held':
      return phase.retryAtMs === null ? [] : [phase.retryAtMs];
    default:
      return [];
  }
}

/** The exit cause of a process whose death has been reported: an orphan is reaped when PID 1 finds the time, 2 s later in one measurement. */
function onCause(
  resource: ResourceState,
  input: Extract<Input, { kind: 'cause' }>,
  ctx: Context,
): Step<ResourceState> {
  const sensor = resource.sensors[input.sensor];
  if (sensor?.diedMs == null) return { state: resource, effects: [] };
  if (outageOf(resource.phase) !== null) return learnCause(resource, input.cause, sensor.name, sensor.diedMs);
  const last = ctx.history.outages.findLast(outage => outage.resource === resource.policy.id);
  if (last === undefined || last.begin.bootId !== ctx.now.bootId) return { state: resource, effects: [] };
  const known = { beganMs: last.begin.atMs, cause: last.cause };
  if (!isBetterCause(known, input.cause, sensor.diedMs)) return { state: resource, effects: [] };
  const { id } = resource.policy;
  const { cause } = input;
  const learned = record({ type: 'outage_cause', outage: last.id, resource: id, cause, sensor: sensor.name });
  return { state: resource, effects: [learned] };
}

function onRunEnded(
  resource: ResourceState,
  input: Extract<Input, { kind: 'run_ended' }>,
  ctx: Context,
): Step<ResourceState> {
  const { phase, policy } = resource;
  const end = (running: Running): Effect => {
    const result = running.timedOut ? ({ kind: 'timeout' } as const) : input.result;
    return attemptEnd(policy.id, running, result, input.output, input.atMs);
  };
  if (phase.name === 'restarting' && phase.running.run === input.run) {
    const result = phase.running.timedOut ? ({ kind: 'timeout' } as const) : input.result;
    const outage = { ...phase.outage, lastResult: result, vetoed: phase.outage.vetoed || isVeto(result) };
    const settled = scheduleNext(resource, outage, input.atMs).state;
    const step = allUp(resource) ? recover(settled, input.atMs, ctx) : { state: settled, effects: [] };
    return { state: step.state, effects: [end(phase.running), ...step.effects] };
  }
  const leftover = resource.leftovers.find(running => running.run === input.run);
  if (leftover === undefined) return { state: resource, effects: [] };
  const leftovers = resource.leftovers.filter(running => running !== leftover);
  return { state: { ...resource, leftovers }, effects: [end(leftover)] };
}

function onTick(resource: ResourceState, ctx: Context): Step<ResourceState> {
  const { phase } = resource;
  const nowMs = ctx.now.bootMs;
  switch (phase.name) {
    case 'up': {
      const death = waitedInVain(resource, ctx);
      if (death !== null) return death;
      if (phase.armAtMs === null || nowMs < phase.armAtMs) break;
      return {
        state: { ...resource, phase: { ...phase, armAtMs: null } },
        effects: armEffect(resource, ctx),
      };
    }
    case 'restarting': {
      const { running } = phase;
      if (running.deadlineMs === null || nowMs < running.deadlineMs) break;
      const ending = { ...running, deadlineMs: null, timedOut: true };
      return {
        state: { ...resource, phase: { ...phase, running: ending } },
        effects: [{ do: 'end_run', run: running.run }],
      };
    }
    case 'settling':
      if (nowMs < phase.next.atMs) break;
      return phase.next.kind === 'attempt'
        ? beginAttempt(resource, phase.outage, 'ladder', nowMs, phase.next.step)
        : giveUp(resource, phase.outage, ctx);
    case 'held':
      if (phase.retryAtMs === null || nowMs < phase.retryAtMs) break;
      return retryHeld(resource, phase.outage, ctx);
    default:
      break;
  }
  return { state: resource, effects: [] };
}

function onFault(
  state: MachineState,
  input: Extract<Input, { kind: 'fault' }>,
  ctx: Context,
): Step<MachineState> {
  const words = input.resource === null ? input.detail : `${input.resource}: ${input.detail}`;
  if (state.faults.includes(words)) return { state, effects: [] };
  const told: JournalRecord[] =
    input.resource === null
      ? []
      : [
          {
            type: 'notice',
            resource: input.resource,
            atMs: ctx.now.bootMs,
            what: 'degraded',
            detail: `degraded detection: ${input.detail}`,
          },
        ];
  return { state: { ...state, faults: [...state.faults, words] }, effects: told.map(record) };
}

function onRebootFailed(
  state: MachineState,
  input: Extract<Input, { kind: 'reboot_failed' }>,
  ctx: Context,
): Step<MachineState> {
  const { intent, error } = input;
  const effects: Effect[] = [record({ type: 'reboot_failed', intent, error })];
  const command = ctx.history.pendingIntent?.command;
  if (command !== undefined) {
    const at = new Date(ctx.now.wallMs).toISOString();
    effects.push({
      do: 'answer',
      answer: { id: command, action: 'reboot', status: 'failed', code: null, detail: error, at },
    });
  }
  const step = eachResource(state, resource => {
    const { phase } = resource;
    if (phase.name !== 'rebooting' || phase.intent !== intent) return { state: resource, effects: [] };
    return enterHeld(resource, phase.outage, `the reboot failed: ${error}`, null, ctx);
  });
  return { state: step.state, effects: [...effects, ...step.effects] };
}
