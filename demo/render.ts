/** The story as a timeline for people. Pure: text out. */
import type { Story } from './story.js';

export interface Look {
  readonly color: boolean;
  readonly columns: number;
}

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow';
const codes: Record<Style, number> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 };

export function paint(look: Look, style: Style, text: string): string {
  return look.color ? `\x1b[${codes[style]}m${text}\x1b[0m` : text;
}

const barWidth = 32;

export function timeline(story: Story, look: Look): string {
  const steps: readonly [number, Style, string][] = [
    [0, 'red', 'slirp4netns killed with SIGKILL'],
    [story.detected_ms, 'yellow', 'detected'],
    [story.restart_started_ms, 'yellow', 'restart script started'],
    [story.network_back_ms, 'green', 'network back, verified'],
    [story.published_ms, 'green', 'outage and recovery told, seen by a subscriber outside'],
  ];
  const last = steps.at(-1)?.[0] ?? 1;
  const lines = steps.map(([ms, style, text]) => {
    const position = Math.min(barWidth - 1, Math.max(0, Math.round((ms / last) * (barWidth - 1))));
    const bar = `${'─'.repeat(position)}●${' '.repeat(barWidth - 1 - position)}`;
    return `  ${milliseconds(ms)}  ${paint(look, style, bar)} ${text}`;
  });
  const attempts = story.attempts === 1 ? '1 attempt' : `${story.attempts} attempts`;
  return [...lines, '', `  cause: ${paint(look, 'bold', story.cause)}; back after ${attempts}`].join('\n');
}

export function messageList(story: Story, look: Look): string {
  const lines = story.messages.map(({ topic, retain, payload }) => {
    const head = `  ${topic}${retain ? ' (retained)' : ''}`;
    return `${head} ${paint(look, 'dim', shorten(payload, look.columns - head.length - 2))}`;
  });
  return ['  what the broker was told:', ...lines].join('\n');
}

function milliseconds(ms: number): string {
  return `${`+${ms.toFixed(ms < 100 ? 1 : 0)}`.padStart(8)} ms`;
}

function shorten(text: string, width: number): string {
  const flat = text.replaceAll(/\s+/g, ' ');
  const room = Math.max(20, width);
  return flat.length <= room ? flat : `${flat.slice(0, room - 1)}…`;
}
