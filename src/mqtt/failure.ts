/** Why there is no connection, in words for a person. */
import { ReasonCodes } from 'mqtt';

const errnoWords: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the broker hung up',
  EPIPE: 'the broker hung up',
  ETIMEDOUT: 'no answer',
  ENETUNREACH: 'there is no route to it',
  EHOSTUNREACH: 'there is no route to it',
  ENOTFOUND: 'its name is unknown',
  EAI_AGAIN: 'the name server does not answer',
  ENOENT: 'the socket does not exist',
  EACCES: 'no permission to open the socket',
};

export function failureWords(error: Error | null): string {
  if (error === null) return 'the broker hung up';
  const code = 'code' in error ? String(error.code) : '';
  // An AggregateError of several addresses has a code and no message.
  return errnoWords[code] ?? (error.message || code || 'unknown failure');
}

/**
 * A CONNACK or DISCONNECT code, by the names of the specification.
 * @param elsewhere The server that the broker names instead of itself.
 */
export function refusalWords(code: number, elsewhere?: string): string {
  const name = (ReasonCodes as Readonly<Record<number, string>>)[code] ?? 'unknown reason';
  return `${name} (code ${code}${elsewhere === undefined ? '' : `: ${elsewhere}`})`;
}
