/** Ends the process, whatever its threads are held by. */
import { loadAddon } from './addon.js';

/** Work on libuv's threads that can neither be stopped nor be told a time: a name server, or a network folder, that does not answer. */
const endless = /^(GetAddrInfoReq|GetNameInfoReq|FSReq)/;

/** After all that listens to the end of the process, such as the log's last lines. */
export function quit(status: number): never {
  if (process.getActiveResourcesInfo().some(kind => endless.test(kind))) {
    // exit(3) joins those threads: with three silent name servers and a list of search domains it took 25 s.
    process.once('exit', () => loadAddon().exitNow(status));
  }
  process.exit(status);
}
