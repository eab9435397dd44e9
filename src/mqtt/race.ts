/**
 * One TCP connection to whichever of several addresses answers first (RFC 8305, "Happy Eyeballs"). Node's own autoSelectFamily gives each
 * address 250 ms and then gives it up: over a line with a handshake of 300 ms it never connects.
 */
import { connect, isIPv6, type NetConnectOpts, type Socket } from 'node:net';

/** The next address is tried beside the one that is silent (RFC 8305, 5: 250 ms recommended), which goes on. */
const staggerMs = 250;
/** Of each address. SYNs leave after 0, 1 and 3 s; a later one belongs to the next attempt. */
const addressTimeoutMs = 4000;
/** Of a name with more, the others get their turn when the resolver rotates them. */
const maxAddresses = 8;
/** Say that this machine has no way there at all, which is no news where another address of the name was tried. */
const noWayCodes = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL']);

/** By turns of one family and the other, beginning with the resolver's first choice (RFC 8305, 4). Pure. */
export function interleaved(addresses: readonly string[]): readonly string[] {
  const firstIs6 = isIPv6(addresses[0] ?? '');
  const [first, second] = [firstIs6, !firstIs6].map(is6 =>
    addresses.filter(address => isIPv6(address) === is6),
  ) as [string[], string[]];
  const turns = Array.from({ length: Math.max(first.length, second.length) }, (_, i) => [
    first[i],
    second[i],
  ]);
  return turns
    .flat()
    .filter(address => address !== undefined)
    .slice(0, maxAddresses);
}

/** The error that says most about the broker. Pure. */
export function tellingError(errors: readonly Error[]): Error {
  const codeOf = (error: Error): string => ('code' in error ? String(error.code) : '');
  return errors.find(error => !noWayCodes.has(codeOf(error))) ?? errors[0] ?? new Error('no address');
}

/**
 * @param targets The best first.
 * @param signal Ends it: every socket is destroyed.
 * @throws Error of connect(2) with its code; ETIMEDOUT when nobody answered in time.
 */
export function connectFirst(targets: readonly NetConnectOpts[], signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const errors: Error[] = [];
    const trying = new Set<Socket>();
    const waiting = [...targets];
    let stagger: NodeJS.Timeout | undefined;

    const end = (work: () => void): void => {
      clearTimeout(stagger);
      signal.removeEventListener('abort', abort);
      for (const socket of trying) socket.destroy();
      work();
    };
    const abort = (): void => end(() => reject(new Error('given up')));
    const failed = (error: Error): void => {
      errors.push(error);
      if (waiting.length > 0) next();
      else if (trying.size === 0) end(() => reject(tellingError(errors)));
    };
    const next = (): void => {
      clearTimeout(stagger);
      const target = waiting.shift();
      if (target === undefined) return;
      const socket = connect({ ...target, autoSelectFamily: false } as NetConnectOpts);
      trying.add(socket);
      const lost = (error: Error): void => {
        clearTimeout(timer);
        if (!trying.delete(socket)) return;
        socket.destroy();
        failed(error);
      };
      const timer = setTimeout(() => {
        lost(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }));
      }, addressTimeoutMs);
      socket.once('error', lost);
      socket.once('close', () => clearTimeout(timer));
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.off('error', lost);
        trying.delete(socket);
        socket.setNoDelay(true);
        end(() => resolve(socket));
      });
      if (waiting.length > 0) stagger = setTimeout(next, staggerMs);
    };

    if (signal.aborted) abort();
    else if (targets.length === 0) reject(tellingError([]));
    else {
      signal.addEventListener('abort', abort);
      next();
    }
  });
}
