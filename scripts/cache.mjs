/** What takes long to get is kept in a cache folder, whole or not at all. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** `chosen` by the user, or `name` where caches are kept (XDG base directory specification). */
export function cacheFolder(chosen, name) {
  return chosen || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'sockmon', name);
}

/**
 * Fast when it is there already.
 * @param stamp Another one means that what is there is out of date.
 * @param make Fills the folder that it is given.
 */
export async function provideIn(folder, stamp, make) {
  const stampFile = join(folder, '.stamp');
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return;
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  try {
    await make(partial);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    throw error;
  }
  writeFileSync(join(partial, '.stamp'), stamp);
  rmSync(folder, { recursive: true, force: true });
  renameSync(partial, folder);
}
