import { type ErrorCode, SockmonError } from '../base/errors.js';
import { printable } from '../base/printable.js';

export type FaultCode = Extract<ErrorCode, 'CONFIG' | 'CONFIG_UNREADABLE' | 'SCRIPT' | 'SECRET'>;

/** One thing wrong with the configuration. */
export interface Fault {
  readonly code: FaultCode;
  /** A path as the user gave it, or `environment`, `arguments`, `defaults`. */
  readonly file: string;
  /** From 1. null where there is no text to point at. */
  readonly line: number | null;
  readonly column: number | null;
  /** Dotted path of the setting, or the name of a variable or an option. Empty for the file as a whole. */
  readonly key: string;
  /** What is wrong and what was expected. Never holds a secret. */
  readonly message: string;
}

/** `file:line:column: key: message`, the form that editors and `grep -n` users know. */
export function formatFault(fault: Fault): string {
  const place = fault.line === null ? fault.file : `${fault.file}:${fault.line}:${fault.column ?? 1}`;
  return [place, fault.key, fault.message]
    .filter(part => part !== '')
    .map(printable)
    .join(': ');
}

/** All faults of a configuration at once. Its code is that of its faults when they agree, else CONFIG. */
export class ConfigError extends SockmonError {
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    const codes = new Set(faults.map(fault => fault.code));
    const [only] = codes;
    super(codes.size === 1 && only ? only : 'CONFIG', faults.map(formatFault).join('\n'));
    this.faults = faults;
  }
}

/** In the order in which a person reads: by file, then by place. */
export function sortFaults(faults: readonly Fault[]): Fault[] {
  const files = [...new Set(faults.map(fault => fault.file))];
  return [...faults].sort(
    (a, b) =>
      files.indexOf(a.file) - files.indexOf(b.file) ||
      (a.line ?? 0) - (b.line ?? 0) ||
      (a.column ?? 0) - (b.column ?? 0),
  );
}
