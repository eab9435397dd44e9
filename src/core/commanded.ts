/** Commands, from wherever they come. Pure. */
import { judgeCommand } from './guard.js';
import type { CommandAnswer, ReceivedCommand } from './ports.js';
import { intentId } from './recovery.js';
import { restartByCommand } from './resource.js';
import { type Context, type Effect, type MachineState, record, type Step } from './state.js';
import { within } from './within.js';

/** Judges a command, records the verdict, answers it, and carries it out if it is allowed. */
export function onCommand(state: MachineState, command: ReceivedCommand, ctx: Context): Step<MachineState> {
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
