/** `sockmon explain`: why the machine last rebooted. Works without a running sockmon. */

import { printable } from '../base/printable.js';
import { type LastBoot, lastBootOf } from '../report/last-boot.js';
import type { Io } from './io.js';
import { readEntries } from './journal-reader.js';
import { findStateDir, type PlaceOptions } from './state-dir.js';
import { rebootText } from './story-text.js';
import { localTime } from './table.js';

export function explain(options: PlaceOptions & { readonly json?: true }, io: Io): number {
  const { entries, now } = readEntries(findStateDir(options, io));
  const found = lastBootOf(entries, now);
  io.out(options.json ? `${JSON.stringify(found, null, 2)}\n` : explainText(found));
  return 0;
}

export function explainText(found: LastBoot): string {
  const { boot, pending } = found;
  const waiting =
    pending === null ? '' : `\nA reboot has been ordered and has not come yet:\n${rebootText(pending)}`;
  return `This machine was booted at ${localTime(boot.at)}.\n${byWhom(found)}${waiting}`;
}

function byWhom({ by, reboot, outage, command, before }: LastBoot): string {
  if (by === 'unknown')
    return "The journal does not reach back before that, so it cannot say why. The system's log may: journalctl --list-boots\n";
  if (reboot !== null) {
    const whole = outage === null ? '' : `The whole story: sockmon history ${outage}\n`;
    const who = command === null ? 'by itself, as the last resort' : `on the command ${printable(command)}`;
    return `sockmon rebooted it, ${who}:\n${rebootText(reboot)}${whole}`;
  }
  if (before === null) return 'Not by sockmon.\n';
  const end = before.orderly
    ? `sockmon had been stopped in order before (${printable(before.reason ?? '')}, ${localTime(before.at)}): somebody rebooted it, or shut it down.`
    : `The journal breaks off at ${localTime(before.at)}, without a good-bye: a power cut, a crash of the kernel, a hardware watchdog or a hard reset; or sockmon itself had been killed before.`;
  return `Not by sockmon. ${end}\n`;
}
