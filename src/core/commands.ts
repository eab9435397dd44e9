/** Commands, from wherever they come. Pure. */

import { hindranceOf } from './arming.js';
import { judgeCommand } from './guard.js';
import type { Effect } from './input.js';
import { laterAnswer } from './outage.js';
import type { CommandAnswer, ReceivedCommand } from './ports.js';
import { acceptOne, refuseOne } from './rate-limit.js';
import { intentId } from './recovery.js';
import type { RefusalCode } from './refusal-codes.js';
import { restartByCommand } from './resource.js';
import { type Context, type MachineState, type ResourceState, record, type Step, within } from './state.js';
import { isoTime } from './time.js';
import { verifiedAtMs, verifiedIfDue } from './verifying.js';
import { durationWords } from './words.js';

/** Judges a command, records the verdict, answers it, and carries it out if it is allowed. */
export function onCommand(state: MachineState, command: ReceivedCommand, ctx: Context): Step<MachineState> {
  const verdict = judgeCommand(command, ctx.policy, ctx.history, ctx.now);
  if (!verdict.allowed) return reject(state, command, verdict, ctx);
  const busy = hindranceOfCommand(state, command, ctx);
  if (busy !== null) return reject(state, command, { code: 'busy', detail: busy }, ctx);
  if (!isFromBroker(command)) return carryOut(state, command, ctx);
  const flood = acceptOne(state.flood, ctx.now.bootMs);
  if (flood === null) return reject(state, command, tooMany, ctx);
  return carryOut({ ...state, flood }, command, ctx);
}

const tooMany = { code: 'rate_limited', detail: 'too many commands in a short time' } as const;

function isFromBroker({ origin }: ReceivedCommand): boolean {
  return origin.startsWith('mqtt');
}

function hindranceOfCommand(state: MachineState, { action, target = '' }: ReceivedCommand, ctx: Context) {
  if (action !== 'restart' && action !== 'drill') return null;
  const resource = state.resources.get(target);
  if (resource !== undefined && isBeingRestarted(verifiedIfDue(resource, ctx.now.bootMs)))
    return `${target} is being restarted already`;
  const hindrance = action === 'drill' ? drillHindrance(resource, ctx) : null;
  return hindrance === null ? null : `${target} ${hindrance}`;
}

/** Also while the script goes on beside the service that is back, unless it is the service. */
function isBeingRestarted({ phase }: ResourceState): boolean {
  if (phase.name === 'verifying') return phase.run.kind === 'running' && !phase.run.isService;
  return phase.name === 'restarting' || phase.name === 'rebooting';
}

function carryOut(state: MachineState, command: ReceivedCommand, ctx: Context): Step<MachineState> {
  if (command.dryRun) return { state, effects: accepted(command, 'dry run: it would be carried out', ctx) };
  switch (command.action) {
    case 'reboot':
      return { state, effects: rebootEffects(command, ctx) };
    case 'pause':
    case 'resume':
      return { state, effects: pauseEffects(command, command.action, ctx) };
    case 'pause_time':
      return { state, effects: pauseTimeEffects(command, ctx) };
    case 'drill':
      return drill(state, command, ctx);
    default:
      return restart(state, command, ctx);
  }
}

function rebootEffects(command: ReceivedCommand, ctx: Context): Effect[] {
  const intent = intentId(ctx);
  const reason = `commanded by ${command.origin}${command.detail ? `: ${command.detail}` : ''}`;
  return [
    ...accepted(command, 'the machine reboots', ctx),
    record({ type: 'reboot_intent', intent, reason, command: command.id, origin: command.origin }),
    { do: 'reboot', intent, level: 'command', command: ctx.policy.reboot.command, automatic: false },
  ];
}

function pauseEffects(command: ReceivedCommand, action: 'pause' | 'resume', ctx: Context): Effect[] {
  const resource = command.target ?? null;
  const what = resource ?? 'everything';
  if (action === 'resume')
    return [...accepted(command, `${what} is recovered again`, ctx), record({ type: 'resume', resource })];
  const forMs = command.forMs ?? ctx.history.pauseTimeMs;
  const words = `${what} is left alone for ${durationWords(forMs)}`;
  return [
    ...accepted(command, words, ctx),
    record({ type: 'pause', resource, untilMs: ctx.now.bootMs + forMs }),
  ];
}

function pauseTimeEffects(command: ReceivedCommand, ctx: Context): Effect[] {
  const forMs = command.forMs ?? ctx.history.pauseTimeMs;
  return [
    ...accepted(command, `a pause lasts ${durationWords(forMs)} from now on`, ctx),
    record({ type: 'pause_time', forMs }),
  ];
}

function restart(state: MachineState, command: ReceivedCommand, ctx: Context): Step<MachineState> {
  const step = within(state, command.target ?? '', found => restartByCommand(found, command.id, ctx));
  return {
    state: step.state,
    effects: [...accepted(command, `${command.target} is restarted`, ctx), ...step.effects],
  };
}

/** The kill itself is an effect; the death comes back as any other and is known by this mark. */
function drill(state: MachineState, command: ReceivedCommand, ctx: Context): Step<MachineState> {
  const target = command.target ?? '';
  const mark = { command: command.id, atMs: ctx.now.bootMs };
  const step = within(state, target, found => ({ state: { ...found, drill: mark }, effects: [] }));
  const kill: Effect = { do: 'drill', resource: target, command: command.id };
  return { state: step.state, effects: [...accepted(command, `${target} is killed on purpose`, ctx), kill] };
}

/** What is killed must be something that is brought back. */
function drillHindrance(found: ResourceState | undefined, ctx: Context): string | null {
  const resource = found && verifiedIfDue(found, ctx.now.bootMs);
  if (resource?.phase.name === 'verifying')
    return `has just come back, and is being verified for ${durationWords(verifiedAtMs(resource.phase, resource.policy.settleMs) - ctx.now.bootMs)}; try again then`;
  if (resource?.phase.name !== 'up') return 'is not up; a drill needs something that lives';
  switch (hindranceOf(resource.policy, ctx)?.kind) {
    case 'paused':
      return 'is paused; nobody would bring it back';
    case 'needs':
      return 'needs something that is down; nobody would bring it back';
    case 'restart_budget':
      return 'has used up its restart budget; nobody would bring it back';
    default:
      return null;
  }
}

export function onDrillFailed(
  resource: ResourceState,
  { command, error }: { readonly command: string; readonly error: string },
  ctx: Context,
): Step<ResourceState> {
  const { id } = resource.policy;
  const failed = { id: command, action: 'drill', status: 'failed', detail: error } as const;
  return {
    state: { ...resource, drill: null },
    effects: [
      record({ type: 'command', ...failed, target: id, origin: 'sockmon' }),
      laterAnswer(command, 'drill', 'failed', error, ctx),
    ],
  };
}

function accepted(command: ReceivedCommand, detail: string, ctx: Context): Effect[] {
  const verdict = { status: 'accepted', code: null, detail } as const;
  return [verdictRecord(command, verdict), answerTo(command, verdict, ctx)];
}

/** Each refusal is answered. What a stranger at the broker may write into the journal is bounded. */
function reject(
  state: MachineState,
  command: ReceivedCommand,
  { code, detail }: { readonly code: RefusalCode; readonly detail: string },
  ctx: Context,
): Step<MachineState> {
  const verdict = { status: 'rejected', code, detail } as const;
  const answer = answerTo(command, verdict, ctx);
  const recorded = verdictRecord(command, verdict);
  if (!isFromBroker(command)) return { state, effects: [recorded, answer] };
  const { flood, isRecorded } = refuseOne(state.flood, code, ctx.now.bootMs);
  return { state: { ...state, flood }, effects: isRecorded ? [recorded, answer] : [answer] };
}

type Judged = Pick<CommandAnswer, 'status' | 'code' | 'detail'>;

function verdictRecord(command: ReceivedCommand, { status, code, detail }: Judged): Effect {
  const { id, action, target, origin, dryRun } = command;
  return record({
    type: 'command',
    id,
    action,
    origin,
    status,
    detail,
    ...(dryRun && { dryRun: true }),
    ...(target !== undefined && { target }),
    ...(code !== null && { code }),
  });
}

function answerTo({ id, action }: ReceivedCommand, verdict: Judged, ctx: Context): Effect {
  return { do: 'answer', answer: { id, action, at: isoTime(ctx.now.wallMs), ...verdict } };
}
