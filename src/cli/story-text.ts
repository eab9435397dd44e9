/** `sockmon history OUTAGE` for people. */
import { printable } from '../base/printable.js';
import { durationWords } from '../core/words.js';
import type { RebootView } from '../report/last-boot.js';
import type { AttemptView, RecordedEvidence, Story, StoryMoment } from '../report/story.js';
import type { OutageView } from '../report/views.js';
import { localTime, rows } from './table.js';

export function storyText(story: Story): string {
  const { outage } = story;
  const head = `${outage.id}: ${outage.resource} ${story.drill ? 'was killed on purpose' : 'died'}: ${printable(outage.cause)}\n`;
  const facts = rows([
    ['began', `${localTime(outage.began_at)}${beganDoubtWords(outage)}`],
    ['lasted', lastedWords(outage)],
    ['seen by', printable(story.sensor)],
    ...(outage.root === null ? [] : [['part of', `${outage.root}, which it needs`]]),
    ...(story.dependants.length === 0 ? [] : [['took along', story.dependants.join(', ')]]),
    ...(story.quiet ? [['told', 'no: it was flapping, which was told once']] : []),
  ]);
  const parts = [
    head + facts,
    titled('What happened', rows(story.moments.map(momentRow))),
    ...story.attempts.filter(({ output }) => output !== null).map(outputText),
    ...story.reboots.map(reboot => titled('Reboot', rebootText(reboot))),
    ...story.evidence.map(evidenceText),
  ];
  return parts.join('\n');
}

function titled(title: string, text: string): string {
  return `${title}\n${indented(text)}`;
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}

function momentRow({ at, after_s, text }: StoryMoment): string[] {
  return [localTime(at), `+${durationWords(after_s * 1000)}`, printable(text)];
}

function outputText({ attempt, step, ended, output }: AttemptView): string {
  const lines = (output ?? '').trimEnd().split('\n').map(printable).join('\n');
  const title = `Output of attempt ${attempt}${step === null ? '' : ` (step ${step})`}, which ${ended ?? 'ended unseen'}`;
  return titled(title, `${lines}\n`);
}

export function rebootText(reboot: RebootView): string {
  const back =
    reboot.back_at === null
      ? 'has not come'
      : `${localTime(reboot.back_at)}${reboot.took_s === null ? '' : `, after ${durationWords(reboot.took_s * 1000)}`}`;
  return rows([
    ['ordered', localTime(reboot.ordered_at)],
    ['because', printable(reboot.reason)],
    ...reboot.forced.map(level => [
      'forced',
      level === 'force' ? 'by the forced command' : 'by the kernel, after a sync',
    ]),
    ...reboot.errors.map(error => ['error', printable(error)]),
    ['back', back],
  ]);
}

function evidenceText({ when, at, kernel, addresses, routes, filters, held }: RecordedEvidence): string {
  const block = (title: string, lines: readonly string[]): string =>
    `${title}\n${indented(lines.length === 0 ? '(nothing)\n' : `${lines.map(printable).join('\n')}\n`)}`;
  const title = when === 'before' ? 'Evidence, as it was before' : 'Evidence, as it was afterwards';
  return titled(
    `${title} (${localTime(at)})`,
    block('kernel log', kernel) +
      block('addresses', addresses) +
      block('routes', routes) +
      (filters === undefined ? '' : block('packet filters that drop by their policy', filters)) +
      (held === undefined ? '' : block('held by the kernel (state D)', held)),
  );
}

const durationDoubtWords = { certain: '', at_least: 'at least ', at_most: 'at most ', about: 'about ' };

/** Behind the begin of an outage. */
export function beganDoubtWords({ uncertain }: OutageView): string {
  switch (uncertain?.began_at) {
    case 'unseen':
      return ' or earlier: nobody looked';
    case 'unset_clock':
      return ' (by an unset clock)';
    default:
      return '';
  }
}

export function lastedWords(outage: OutageView): string {
  if (outage.outcome === 'open') return 'still open';
  const lasted =
    outage.duration_s === null
      ? ''
      : `${durationDoubtWords[outage.uncertain?.duration_s ?? 'certain']}${durationWords(outage.duration_s * 1000)}`;
  const down =
    outage.downtime_s === undefined ? '' : ` (down for ${durationWords(outage.downtime_s * 1000)} of it)`;
  return outage.outcome === 'forgotten' ? `${lasted}${down}, then no longer watched` : `${lasted}${down}`;
}
