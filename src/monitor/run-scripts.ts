/** What is executed by each run that is armed or under way: the monitor tells of a run by its id alone. */
import { scriptFault } from '../system/script-fault.js';

/** Of execve(2), where the script itself may say why. Others are about the machine: EMFILE, ENOMEM, ECANCELED at a shutdown. */
const aboutScript = new Set(['ENOENT', 'ENOEXEC', 'EACCES']);

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
    return error !== undefined && aboutScript.has(error) && script !== undefined ? scriptFault(script) : null;
  }
}
