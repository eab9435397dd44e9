/** Writes what arm.cjs may watch at the next start before anything else is loaded. */
import fs from 'node:fs';
import path from 'node:path';
import type { Config } from '../core/policy.js';
import { nativeSensor } from '../sensors/kinds.js';
import { runtimeFile } from '../system/folders.js';

const key = Symbol.for('sockmon.plan');

/**
 * Only where arm.cjs will look: in the state folder, if that can be known without the configuration. A failure costs a few ms at the
 * next start and nothing else.
 */
export function writePlan({ stateDir, policy }: Config, files: readonly string[]): void {
  const place = (globalThis as { [key]?: { file: string; key: string } })[key];
  if (place === undefined || path.dirname(place.file) !== stateDir) return;
  const plan = {
    key: place.key,
    runs: runtimeFile(stateDir, 'runs'),
    files: files.map(file => ({ file, text: fs.readFileSync(file, 'utf8') })),
    watches: policy.resources.map(({ id, sensors }) => ({
      resource: id,
      sensors: sensors.map(nativeSensor),
    })),
  };
  const text = JSON.stringify(plan);
  if (fs.existsSync(place.file) && fs.readFileSync(place.file, 'utf8') === text) return;
  const fresh = `${place.file}.new`;
  fs.writeFileSync(fresh, text, { mode: 0o600 });
  fs.renameSync(fresh, place.file);
}
