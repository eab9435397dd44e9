/** The machine: a pure function of state, input and what the journal says. Everything that happens is decided here. */
import { isBetterCause } from './cause.js';
import { judgeCommand } from './guard.js';
import type { JournalRecord } from './model.js';
import type { CommandAnswer, ReceivedCommand } from './ports.js';
import {
  attemptEnd,
  beginAttempt,
  enterHeld,
  giveUp,
  intentId,
  retryHeld,
  scheduleNext,
} from './recovery.js';
import { allUp, armEffect, learnCause, onSensor, recover, restartByCommand } from './resource.js';
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

function deadlinesOf({ phase }: ResourceState): number[] {
  switch (phase.name) {
    case 'up':
      return phase.armAtMs === null ? [] : [phase.armAtMs];
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

function within(
  state: MachineState,
  id: string,
  change: (resource: ResourceState) => Step<ResourceState>,
): Step<MachineState> {
  const resource = state.resources.get(id);
  if (resource === undefined) return { state, effects: [] };
  const step = change(resource);
  if (step.state === resource) return { state, effects: step.effects };
  return {
    state: { ...state, resources: new Map(state.resources).set(id, step.state) },
    effects: step.effects,
  };
}

function eachResource(
  state: MachineState,
  change: (resource: ResourceState) => Step<ResourceState>,
): Step<MachineState> {
  let current = state;
  const effects: Effect[] = [];
  for (const id of state.resources.keys()) {
    const step = within(current, id, change);
    current = step.state;
    effects.push(...step.effects);
  }
  return { state: current, effects };
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
    const outage = { ...phase.outage, lastResult: result };
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
    case 'up':
      if (phase.armAtMs === null || nowMs < phase.armAtMs) break;
      return {
        state: { ...resource, phase: { ...phase, armAtMs: null } },
        effects: armEffect(resource, ctx),
      };
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
        ? beginAttempt(resource, phase.outage, 'ladder', nowMs)
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

function onCommand(state: MachineState, command: ReceivedCommand, ctx: Context): Step<MachineState> {
  const verdict = judgeCommand(command, ctx.policy, ctx.history, ctx.now);
  if (!verdict.allowed) return { state, effects: rejected(command, verdict.code, verdict.detail, ctx) };
  const resource = command.target === undefined ? undefined : state.resources.get(command.target);
  const busy = resource?.phase.name === 'restarting' || resource?.phase.name === 'rebooting';
  if (busy)
    return { state, effects: rejected(command, 'busy', `${command.target} is being restarted already`, ctx) };
  if (command.dryRun) return { state, effects: accepted(command, 'dry run: it would be carried out', ctx) };
  if (command.action === 'reboot') {
    const intent = intentId(ctx);
    const reason = `commanded by ${command.origin}${command.detail ? `: ${command.detail}` : ''}`;
    const effects: Effect[] = [
      ...accepted(command, 'the machine reboots', ctx),
      record({ type: 'reboot_intent', intent, reason, command: command.id }),
      { do: 'reboot', intent, command: ctx.policy.reboot.command },
    ];
    return { state, effects };
  }
  const step = within(state, command.target ?? '', found => restartByCommand(found, command.id, ctx));
  return {
    state: step.state,
    effects: [...accepted(command, `${command.target} is restarted`, ctx), ...step.effects],
  };
}

function accepted(command: ReceivedCommand, detail: string, ctx: Context): Effect[] {
  return verdictEffects(command, { status: 'accepted', code: null, detail }, ctx);
}

function rejected(
  command: ReceivedCommand,
  code: NonNullable<CommandAnswer['code']>,
  detail: string,
  ctx: Context,
): Effect[] {
  return verdictEffects(command, { status: 'rejected', code, detail }, ctx);
}

function verdictEffects(
  command: ReceivedCommand,
  verdict: Pick<CommandAnswer, 'status' | 'code' | 'detail'>,
  ctx: Context,
): Effect[] {
  const { id, action, target, origin } = command;
  const at = new Date(ctx.now.wallMs).toISOString();
  return [
    record({
      type: 'command',
      id,
      action,
      origin,
      status: verdict.status,
      detail: verdict.detail,
      ...(target !== undefined && { target }),
      ...(verdict.code !== null && { code: verdict.code }),
    }),
    { do: 'answer', answer: { id, action, at, ...verdict } },
  ];
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
