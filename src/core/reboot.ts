/** A reboot that has been ordered: waiting for it, and the harder ways when it does not come. One intent, one reboot. Pure. */

import type { Effect } from './input.js';
import { laterAnswer } from './outage.js';
import type { RecordOf } from './records.js';
import { enterHeld } from './recovery.js';
import {
  type Context,
  type MachineState,
  type PendingReboot,
  type RebootLevel,
  record,
  type Step,
  withEach,
} from './state.js';
import { durationWords } from './words.js';

/** So long a machine may take to go down; then the ordered way has failed. */
const commandMs = 5 * 60_000;
/** `systemctl reboot --force` kills and unmounts itself; where that hangs nothing else helps. */
const forceMs = 90_000;

/** Taken over at start: the machine is still in the boot of an intent. */
export function pendingReboot(ctx: Context): PendingReboot | null {
  const pending = ctx.history.pendingIntent;
  if (pending === null || pending.bootId !== ctx.now.bootId) return null;
  const level = ctx.history.pendingLevel;
  const nextAtMs = level === 'command' ? pending.bootMs + commandMs : ctx.now.bootMs + forceMs;
  return { intent: pending.intent, level, nextAtMs, ...wishOf(pending) };
}

function wishOf(
  intent: RecordOf<'reboot_intent'> | undefined,
): Pick<PendingReboot, 'command' | 'yieldsToPause'> {
  const { command = null, origin = '' } = intent ?? {};
  return { command, yieldsToPause: command === null || origin.startsWith('mqtt') };
}

/** The answer to the command that asked for a reboot which has come; nothing where none did. */
export function rebootDone(
  { command, tookMs }: { readonly command?: string | undefined; readonly tookMs: number | null },
  ctx: Context,
): Effect[] {
  if (command === undefined) return [];
  const words = `the machine has rebooted${tookMs === null ? '' : ` in ${durationWords(tookMs)}`}`;
  return [laterAnswer(command, 'reboot', 'done', words, ctx)];
}

/** Notes the reboots among the effects of a step. Of several resources that give up at the same moment each asks: that is one reboot. */
export function noteReboot(asked: Step<MachineState>, ctx: Context): Step<MachineState> {
  const step = { ...asked, effects: onceEach(asked.effects) };
  const effect = step.effects.find(one => one.do === 'reboot' && one.level === 'command');
  if (effect?.do !== 'reboot') return step;
  const intent = step.effects.flatMap(one =>
    one.do === 'journal' && one.record.type === 'reboot_intent' ? [one.record] : [],
  )[0];
  const reboot: PendingReboot = {
    intent: effect.intent,
    level: 'command',
    nextAtMs: ctx.now.bootMs + commandMs,
    ...wishOf(intent),
  };
  return { state: { ...step.state, reboot }, effects: step.effects };
}

function onceEach(effects: readonly Effect[]): readonly Effect[] {
  const seen = new Set<string>();
  return effects.filter(effect => {
    const isIntent = effect.do === 'journal' && effect.record.type === 'reboot_intent';
    const key = isIntent ? 'intent' : effect.do === 'reboot' ? effect.level : null;
    if (key === null || !seen.has(key)) {
      if (key !== null) seen.add(key);
      return true;
    }
    return false;
  });
}

/** Takes the next harder way when the time for the last one is over. */
export function escalate(state: MachineState, ctx: Context): Step<MachineState> {
  const { reboot } = state;
  if (reboot?.nextAtMs == null || ctx.now.bootMs < reboot.nextAtMs) return { state, effects: [] };
  if (reboot.level === 'kernel') return fail(state, reboot, 'no way of rebooting has worked', ctx);
  const objection = objectionTo(state, reboot, ctx);
  if (objection !== null)
    return fail(state, reboot, `the machine did not reboot; ${objection}, so it is left at that`, ctx);
  const level: RebootLevel = reboot.level === 'command' ? 'force' : 'kernel';
  const { intent } = reboot;
  const waited = reboot.level === 'command' ? '5 minutes after the command' : '90 s after the forced way';
  return {
    state: { ...state, reboot: { ...reboot, level, nextAtMs: ctx.now.bootMs + forceMs } },
    effects: [
      record({ type: 'reboot_failed', intent, error: `the machine is still up ${waited}`, final: false }),
      record({ type: 'reboot_forced', intent, level }),
      {
        do: 'reboot',
        intent,
        level,
        command: ctx.policy.reboot.forceCommand,
        automatic: reboot.command === null,
      },
    ],
  };
}

/** Why a reboot that has not come is not wanted any more; null = it is. */
function objectionTo(
  state: MachineState,
  reboot: PendingReboot,
  { policy, history, now }: Context,
): string | null {
  if (!policy.reboot.allowed) return 'rebooting has been forbidden since';
  if (reboot.command !== null) {
    const isPaused = reboot.yieldsToPause && history.pausedUntilMs('', now) !== null;
    return isPaused ? 'everything has been paused since' : null;
  }
  const waiting = [...state.resources.values()].filter(
    ({ phase }) => phase.name === 'rebooting' && phase.intent === reboot.intent,
  );
  if (waiting.length === 0) return 'what it was for is back';
  const isPaused = waiting.every(one => history.pausedUntilMs(one.policy.id, now) !== null);
  return isPaused ? 'recovery has been paused since' : null;
}

/** A way has failed by its own words. The clock goes on: the harder way is taken when its time has come. */
export function onRebootFailed(
  state: MachineState,
  failed: { intent: string; error: string },
  ctx: Context,
): Step<MachineState> {
  const { reboot } = state;
  if (reboot === null || reboot.intent !== failed.intent) return { state, effects: [] };
  if (reboot.level === 'kernel') return fail(state, reboot, failed.error, ctx);
  return { state, effects: [record({ type: 'reboot_failed', ...failed, final: false })] };
}

/** There is no record of it, so it may not happen. */
export function cancelReboot(
  state: MachineState,
  failed: { intent: string; error: string },
  ctx: Context,
): Step<MachineState> {
  return state.reboot?.intent === failed.intent
    ? fail(state, state.reboot, failed.error, ctx, state.reboot.level === 'command')
    : { state, effects: [] };
}

function fail(
  state: MachineState,
  reboot: PendingReboot,
  error: string,
  ctx: Context,
  cancelled = false,
): Step<MachineState> {
  const { intent } = reboot;
  const effects: Effect[] = [
    record({ type: 'reboot_failed', intent, error, final: true, ...(cancelled && { cancelled }) }),
  ];
  if (reboot.command !== null) effects.push(laterAnswer(reboot.command, 'reboot', 'failed', error, ctx));
  const step = withEach({ ...state, reboot: null }, state.resources.keys(), resource => {
    const { phase } = resource;
    if (phase.name !== 'rebooting' || phase.intent !== intent) return { state: resource, effects: [] };
    return enterHeld(resource, phase.outage, { why: 'reboot_failed', error }, ctx);
  });
  return { state: step.state, effects: [...effects, ...step.effects] };
}
