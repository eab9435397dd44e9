/** The files that a configuration points to: passwords, keys, certificates. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoWords } from '../base/errno-words.js';

export type Outcome<T> = { readonly value: T; readonly warning?: string } | { readonly fault: string };

const maxSecretBytes = 64 * 1024;

function readSmall(path: string): Outcome<Buffer> {
  try {
    const stat = statSync(path);
    if (!stat.isFile()) return { fault: `${path} is not a file` };
    if (stat.size > maxSecretBytes) return { fault: `${path} is larger than ${maxSecretBytes / 1024} KiB` };
    const value = readFileSync(path);
    if ((stat.mode & 0o007) === 0) return { value };
    return { value, warning: `${path} can be read by every user; protect it with: chmod o-rwx ${path}` };
  } catch (error) {
    return { fault: `${path} cannot be read: ${errnoWords(error)}` };
  }
}

/** The secret in a file, without the line break at its end. @param what It is in a word. */
function readLine(path: string, what: string): Outcome<string> {
  const read = readSmall(path);
  if ('fault' in read) return { fault: `${read.fault}; expected a file that holds the ${what}` };
  const value = read.value.toString('utf8').replace(/\r?\n$/, '');
  if (value === '') return { fault: `${path} is empty; expected a file that holds the ${what}` };
  if (/[\r\n\0]/.test(value))
    return { fault: `${path} holds more than one line; expected the ${what} alone` };
  return { ...read, value };
}

export function readPassword(path: string): Outcome<string> {
  return readLine(path, 'password');
}

/** A shorter one could be found by trying: whoever sees a signed command can do that at home. */
const minKeyChars = 32;

export function readKey(path: string): Outcome<string> {
  const read = readLine(path, 'key');
  if ('fault' in read || read.value.length >= minKeyChars) return read;
  return {
    fault: `${path} holds a key of less than ${minKeyChars} characters; make one with: openssl rand -hex 32`,
  };
}

/**
 * A credential that systemd passes to the service: systemd.exec(5), LoadCredential=.
 * @param instead The setting that takes a file.
 */
export function readCredential(
  name: string,
  folder: string | undefined,
  reader: (path: string) => Outcome<string>,
  instead: string,
): Outcome<string> {
  if (!folder)
    return {
      fault: `there are no systemd credentials here ($CREDENTIALS_DIRECTORY is not set); put LoadCredential=${name}:/path into the unit, or use ${instead}`,
    };
  const read = reader(join(folder, name));
  // systemd itself keeps the folder private.
  return 'fault' in read ? read : { value: read.value };
}

/** @param secret Whether others may not read it. */
export function readPem(path: string, secret: boolean): Outcome<Buffer> {
  const read = readSmall(path);
  if ('fault' in read) return { fault: `${read.fault}; expected a PEM file` };
  if (!read.value.includes('-----BEGIN ')) return { fault: `${path} holds no PEM block (-----BEGIN …)` };
  return secret ? read : { value: read.value };
}
