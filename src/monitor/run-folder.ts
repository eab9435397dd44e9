/** The folder of the run files: what is written there for a later sockmon, and what an earlier one has left there. */
import fs from 'node:fs';
import path from 'node:path';
import type { Log, Run } from '../core/ports.js';
import { kernelBootId, type RunFile, readRunFiles, runFileText } from './run-files.cjs';

/** Of a command line. */
const longestScript = 500;

export class RunFolder {
  private isThere = false;
  private isFaultTold = false;
  private readonly bootId = kernelBootId();

  /** @param folder null: there is none; scripts are known to a later sockmon from the journal alone. */
  constructor(
    private readonly folder: string | null,
    private readonly log: Log,
  ) {}

  /** Where, and with which text, the monitor thread is to leave a file for this run; nothing where that is impossible. */
  fileFor({ id, purpose, timeoutMs, graceMs }: Run): { path: string; text: string } | undefined {
    if (this.folder === null || !this.makeFolder(this.folder)) return undefined;
    const script = purpose.script.slice(0, longestScript);
    const text = runFileText({ run: id, ...purpose, script, timeoutMs, graceMs }, this.bootId);
    return { path: path.join(this.folder, id), text };
  }

  /** The monitor thread could not write it: the folder has been removed, or its tmpfs is full. */
  failed(error: string): void {
    this.isThere = false;
    this.complain(error);
  }

  /** The run files of an earlier sockmon. To be called by the only sockmon of this state folder: what is outdated is removed. */
  read(): readonly RunFile[] {
    if (this.folder === null) return [];
    const { files, outdated, refused } = readRunFiles(this.folder);
    for (const file of outdated) this.remove(file);
    for (const { path: file, why } of refused)
      this.log.warn({}, `${file} is not believed to name a running script: ${why}; remove it`);
    return files;
  }

  remove(file: string): void {
    try {
      fs.rmSync(file, { force: true });
    } catch (error) {
      this.log.warn({ err: error }, `${file} names a script that has ended, and cannot be removed`);
    }
  }

  /** An empty one is not left behind. */
  close(): void {
    if (this.folder === null) return;
    try {
      fs.rmdirSync(this.folder);
    } catch {
      // Scripts go on, or it was never made.
    }
  }

  private makeFolder(folder: string): boolean {
    if (this.isThere) return true;
    try {
      // The folder above is everybody's to look into, as systemd makes it; `sockmon status` finds its socket there.
      fs.mkdirSync(path.dirname(folder), { recursive: true, mode: 0o755 });
      fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
      this.isThere = true;
    } catch (error) {
      this.complain((error as Error).message);
    }
    return this.isThere;
  }

  private complain(why: string): void {
    if (this.isFaultTold) return;
    this.isFaultTold = true;
    this.log.warn(
      {},
      `running scripts cannot be noted in ${this.folder}: ${why}; a sockmon that starts in the middle of one knows of it from the journal alone`,
    );
  }
}
