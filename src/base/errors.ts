/** The table of everything that can end the program or refuse a request. Errors are recognised by their code, never by their words. */
export const errorTable = {
  USAGE: { exitStatus: 64, meaning: 'The command line is not understood.' },
  CONFIG: { exitStatus: 78, meaning: 'The configuration has faults.' },
  CONFIG_UNREADABLE: { exitStatus: 66, meaning: 'A configuration file cannot be read.' },
  SCRIPT: { exitStatus: 66, meaning: 'A restart script is missing or not executable.' },
  SECRET: { exitStatus: 78, meaning: 'A password or key file cannot be read.' },
  STATE_DIR: { exitStatus: 73, meaning: 'The state folder cannot be made or written.' },
  ALREADY_RUNNING: { exitStatus: 75, meaning: 'Another sockmon uses this state folder.' },
  JOURNAL_OPEN: { exitStatus: 74, meaning: 'The journal cannot be opened.' },
  JOURNAL_WRITE: { exitStatus: 74, meaning: 'The journal cannot be written.' },
  MONITOR: { exitStatus: 71, meaning: 'The native monitor cannot start.' },
  MONITOR_HANGS: { exitStatus: 79, meaning: 'The monitor thread hangs or has ended; start sockmon again.' },
  ADDON: { exitStatus: 69, meaning: 'The native monitor is not built for this machine.' },
  BROKER: { exitStatus: 69, meaning: 'The embedded broker cannot start.' },
  RECORDING: { exitStatus: 66, meaning: 'A recording cannot be read, or tells of no outage.' },
  CONTROL: { exitStatus: 77, meaning: 'The running sockmon cannot be asked.' },
  REFUSED: { exitStatus: 1, meaning: 'A command was refused or failed.' },
  NOT_RUNNING: { exitStatus: 3, meaning: 'No sockmon is running on this state folder.' },
  INTERNAL: { exitStatus: 70, meaning: 'A fault in sockmon itself.' },
} as const satisfies Record<string, { exitStatus: number; meaning: string }>;

export type ErrorCode = keyof typeof errorTable;

export class SockmonError extends Error {
  override readonly name = 'SockmonError';
  readonly code: ErrorCode;

  /** @param message What happened and what to do next, in sentences. */
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  get exitStatus(): number {
    return errorTable[this.code].exitStatus;
  }
}
