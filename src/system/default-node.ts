/**
 * The name of this gateway where the configuration gives none: the host name of the first start. A host name may be set later by DHCP, and
 * another one would be another device in Home Assistant, with the old one unavailable for ever.
 */
import fs from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';

const fileIn = (stateDir: string): string => path.join(stateDir, 'node');

/** machine-id(5): a card that was copied for a second gateway holds the name of the first. */
function machineId(): string {
  try {
    return fs.readFileSync('/etc/machine-id', 'utf8').trim();
  } catch {
    // OpenWrt and containers have none.
    return '';
  }
}

/** null: there is none yet, or it cannot be read, or it is another machine's. */
function keptNode(stateDir: string): string | null {
  try {
    const [node = '', machine = ''] = fs.readFileSync(fileIn(stateDir), 'utf8').trimEnd().split('\n');
    return machine === machineId() && node !== '' && node === safeNode(node) ? node : null;
  } catch {
    // ENOENT at the first start. A file that cannot be read is no reason to be called nothing.
    return null;
  }
}

export function defaultNode(stateDir: string): string {
  return keptNode(stateDir) ?? safeNode(hostname());
}

/** Remembers `node` if it is the default one. @throws NodeJS.ErrnoException */
export function keepDefaultNode(stateDir: string, node: string): void {
  if (keptNode(stateDir) !== null || node !== defaultNode(stateDir)) return;
  fs.writeFileSync(fileIn(stateDir), `${node}\n${machineId()}\n`);
}

/** A host name as an id: everything else than letters, digits, "_" and "-" becomes "_". */
export function safeNode(name: string): string {
  return (
    name
      .replace(/\..*$/, '')
      .replace(/[^a-zA-Z0-9_-]/g, '_')
      .slice(0, 64) || 'gateway'
  );
}
