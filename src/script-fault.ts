/** Why a script cannot be run, before and after it was tried. */
import { accessSync, closeSync, constants, existsSync, openSync, readSync, statSync } from 'node:fs';
import { errnoWords } from './errno-words.js';

/** Words for a person, with a next step; null when nothing stands against it. */
export function scriptFault(path: string): string | null {
  try {
    if (!statSync(path).isFile()) return `${path} is not a file; expected an executable script`;
  } catch (error) {
    return `${path} cannot be used: ${errnoWords(error)}; expected an executable script`;
  }
  try {
    accessSync(path, constants.X_OK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES')
      return `${path} is not executable; make it so with: chmod +x ${path}`;
    return `${path} cannot be used: ${errnoWords(error)}; expected an executable script`;
  }
  return firstLineFault(path);
}

/** So much of a file the kernel looks at (BINPRM_BUF_SIZE of Linux 5.1 and later). */
const headBytes = 256;

/** execve(2) says ENOENT for a script that is there when its interpreter is not, and ENOEXEC when it names none. */
function firstLineFault(path: string): string | null {
  const head = headOf(path);
  // Who may execute it may not be allowed to read it; then the kernel is the only one who knows.
  if (head === null || head.startsWith('\x7fELF')) return null;
  if (!head.startsWith('#!')) {
    if (isBinary(head)) return null;
    return `${path} has no first line that names its interpreter, such as #!/bin/sh; add one`;
  }
  const [line = ''] = head.slice(2).split('\n', 1);
  const [interpreter = ''] = line.trim().split(/[ \t]/, 1);
  if (line.endsWith('\r'))
    return `${path} has line ends of Windows, so that its interpreter would be "${interpreter}\\r"; change them with: sed -i 's/\\r$//' ${path}`;
  if (interpreter === '')
    return `the first line of ${path} names no interpreter; expected #!/bin/sh or the like`;
  if (existsSync(interpreter)) return null;
  return `${path} asks for the interpreter ${interpreter}, which is not there; install it, or change the first line`;
}

function headOf(path: string): string | null {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const bytes = Buffer.alloc(headBytes);
      return bytes.toString('latin1', 0, readSync(fd, bytes, 0, headBytes, 0));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM') return null;
    throw error;
  }
}

/** Another format, which binfmt_misc may know. */
function isBinary(head: string): boolean {
  return head.includes('\0');
}

/** What is executed by each run that is armed or under way: the monitor tells of a run by its id alone. */
export class RunScripts {
  /** By run. */
  private readonly scripts = new Map<string, string>();
  /** By resource: the run that is armed. */
  private readonly armed = new Map<string, string>();

  add(run: string, script: string): void {
    this.scripts.set(run, script);
  }

  /** @param run null: none is armed any more. */
  arm(resource: string, run: string | null): void {
    this.scripts.delete(this.armed.get(resource) ?? '');
    if (run === null) this.armed.delete(resource);
    else this.armed.set(resource, run);
  }

  /** The run has ended. @returns Why its script could not be started: `error` is the errno name; null when nobody knows, or when it was. */
  end(run: string, error: string | undefined): string | null {
    const script = this.scripts.get(run);
    this.scripts.delete(run);
    // ECANCELED: the machine is shutting down.
    return error === undefined || error === 'ECANCELED' || script === undefined ? null : scriptFault(script);
  }
}
