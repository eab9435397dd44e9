/** Restart scripts for the lab: real shell scripts, run by sockmon inside the namespace. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Stack } from './stack.js';

export interface ScriptOptions {
  readonly name?: string;
  /** How many calls fail before one starts the stack. Infinity: it never does. */
  readonly failures?: number;
  /** Exit status of a call that fails. */
  readonly failureStatus?: number;
  /** A shell command to run before anything else, for a script that takes its time: `sleep 1`, or one that waits for a file. */
  readonly first?: string;
  /** For the benchmark: nothing but the start of the stack, and before it a line into this FIFO. The other options do not apply. */
  readonly mark?: string;
}

export class RestartScript {
  readonly path: string;
  private readonly callsFile: string;

  constructor(directory: string, stack: Stack, options: ScriptOptions = {}) {
    this.path = `${directory}/${options.name ?? 'restart'}`;
    this.callsFile = `${this.path}.calls`;
    writeFileSync(this.path, scriptText(this.callsFile, directory, stack, options), { mode: 0o755 });
  }

  /** When it was called: wall clock, milliseconds with a fraction. */
  calls(): number[] {
    if (!existsSync(this.callsFile)) return [];
    const lines = readFileSync(this.callsFile, 'utf8').split('\n').filter(Boolean);
    return lines.map(line => Number(line) / 1e6);
  }
}

function scriptText(callsFile: string, directory: string, stack: Stack, options: ScriptOptions): string {
  const { failures = 0, failureStatus = 1, first = ':', mark } = options;
  if (mark !== undefined) return bareScript(mark, stack);
  const isHopeless = failures === Number.POSITIVE_INFINITY;
  return `#!/bin/sh
# Starts the TCP/IP stack of the lab again.
cd '${directory}' || exit 1
date +%s%N >>'${callsFile}'
${first}
if ${isHopeless ? 'true' : `[ "$(wc -l <'${callsFile}')" -le ${failures} ]`}; then
  echo 'the lab makes this attempt fail'
  exit ${failureStatus}
fi
ready='${directory}/ready.'$$
mkfifo "$ready" || exit 1
# The stack itself lives outside of the namespace that it serves, and must outlive this script and its session.
LD_PRELOAD='${stack.preload}' setsid ${enterOutside()} \\
  slirp4netns ${stack.arguments(3).join(' ')} </dev/null >>'${stack.logFile}' 2>&1 3>"$ready" &
echo $! >'${stack.pidfile}'
answer=$(cat "$ready")
rm -f "$ready"
if [ "$answer" != 1 ]; then
  tail -n 5 '${stack.logFile}'
  exit 1
fi
`;
}

/** What a person would write who is in a hurry: one line that says that it runs, one that starts the stack. */
function bareScript(mark: string, stack: Stack): string {
  return `#!/bin/sh
echo >'${mark}'
setsid ${enterOutside()} slirp4netns ${stack.arguments().join(' ')} </dev/null >>'${stack.logFile}' 2>&1 &
echo $! >'${stack.pidfile}'
`;
}

function enterOutside(): string {
  return `nsenter --net=/proc/${process.pid}/ns/net`;
}
