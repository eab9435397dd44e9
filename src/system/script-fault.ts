/** Why a script cannot be run, before and after it was tried. Never throws. */
import { accessSync, closeSync, constants, existsSync, openSync, readSync, statSync } from 'node:fs';
import { errnoWords } from '../base/errno-words.js';

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
  } catch {
    // EACCES of who may execute it and not read it, EMFILE, a file that has just gone: only the kernel knows more, and nobody may fail here.
    return null;
  }
}

/** Another format, which binfmt_misc may know. */
function isBinary(head: string): boolean {
  return head.includes('\0');
}
