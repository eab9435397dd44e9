/** How an attempt ended, from the facts about it, and in a sentence for a person. Pure. */

import type { LastWords } from './culprits.js';
import {
  type Circumstances,
  failureWords,
  isHangUp,
  misfitWords,
  refusalWords,
  silenceWords,
} from './failure-words.js';
import type { Protocol, VersionSign } from './version.js';

/**
 * lost: after it had been connected. hung_up: the same, and the peer closed it without a word. passed_over: the same, and we have closed it:
 * a publish was never acknowledged. closed_early: the peer hung up without a CONNACK, as brokers do that do not know MQTT 5. silent: it
 * neither sent one nor hung up. unsupported: the broker says so. refused: who we are, or our will. unwilling: what we want. will_refused: only
 * the will; nobody but the connector can find that out.
 */
export type Ending =
  | 'lost'
  | 'hung_up'
  | 'passed_over'
  | 'taken_over'
  | 'unreachable'
  | 'refused'
  | 'will_refused'
  | 'unwilling'
  | 'unsupported'
  | 'closed_early'
  | 'silent';

/** What the diagnosis is made from. */
export interface End {
  readonly ending: Ending;
  readonly words: string;
  /** How long there was a connection; null = there was none, or its end says nothing about the broker. */
  readonly livedMs: number | null;
  /** The topic that was not acknowledged. */
  readonly passedOver: string | null;
  /** null: what was on its way has nothing to do with it. */
  readonly lastWords: LastWords | null;
}

export interface Facts {
  readonly protocol: Protocol;
  readonly endpoint: Circumstances['endpoint'];
  isEstablished: boolean;
  isConnected: boolean;
  isSilent: boolean;
  isPassedOver: boolean;
  connackCode: number;
  disconnectCode: number;
  /** Where the broker would have us go: told, not followed, since whoever sits between could ask for the password so. */
  elsewhere: string | undefined;
  failure: Error | null;
  head: Buffer | null;
}

/** Reason codes of MQTT 5 (4.13, 3.2.2.2) and return codes of 3.1.1 (3.2.2.3). */
const takenOver = 0x8e;
const unsupportedCodes = new Set([0x01, 0x84]);
const refusalCodes = new Set([0x02, 0x04, 0x05, 0x85, 0x86, 0x87, 0x8a, 0x8c]);
/** "The Will Topic Name is not malformed, but is not accepted": nothing else in a CONNECT is a topic name. */
const topicNameInvalid = 0x90;
/** It will say the same in a second: our will is too much for it (no retained messages, say), or another server is to be used. */
const unwillingCodes = new Set([0x95, 0x9a, 0x9b, 0x9c, 0x9d]);
/** The last return code that 3.1.1 has; ejabberd answers 0x80 to a will that it does not take. */
const lastReturnCode = 5;

export function endingOf(facts: Facts): [Ending, string] {
  const { connackCode, disconnectCode, elsewhere, failure, isConnected, isEstablished, protocol } = facts;
  if (connackCode !== 0) return [refusalOf(connackCode, protocol), refusalWords(connackCode, elsewhere)];
  if (disconnectCode === takenOver) return ['taken_over', refusalWords(takenOver)];
  if (facts.isPassedOver)
    return ['passed_over', 'it answers, but has not acknowledged what it was sent 10 s ago or more'];
  if (isConnected) {
    if (disconnectCode !== 0) return ['lost', refusalWords(disconnectCode, elsewhere)];
    return [isHangUp(failure) ? 'hung_up' : 'lost', failureWords(failure)];
  }
  if (disconnectCode !== 0) return ['unreachable', refusalWords(disconnectCode, elsewhere)];
  const around: Circumstances = { endpoint: facts.endpoint, established: isEstablished, head: facts.head };
  const misfit = misfitWords(failure, around);
  if (misfit !== null) return ['unreachable', misfit];
  if (facts.isSilent) return [isEstablished ? 'silent' : 'unreachable', silenceWords()];
  return [isEstablished && isHangUp(failure) ? 'closed_early' : 'unreachable', failureWords(failure)];
}

function refusalOf(code: number, protocol: Protocol): Ending {
  if (unsupportedCodes.has(code)) return 'unsupported';
  if (code === topicNameInvalid) return 'will_refused';
  if (unwillingCodes.has(code)) return 'unwilling';
  return refusalCodes.has(code) || (protocol === 4 && code > lastReturnCode) ? 'refused' : 'unreachable';
}

/** What an ending says about the version that was spoken. */
export function signOf(ending: Ending): VersionSign | null {
  return ending === 'unsupported' || ending === 'closed_early' || ending === 'silent' ? ending : null;
}

/** The broker is there, and does not want us. */
export function isRefused(ending: Ending): boolean {
  return ['refused', 'will_refused', 'unwilling', 'unsupported'].includes(ending);
}

/** Of a take-over that is put down to ourselves. */
export const ownWords = 'the broker gave its place to an older one of ours, which it has read only now';

export interface Teller {
  readonly broker: string;
  readonly willTopic: string;
  /** That was not acknowledged; null = nothing at all was. */
  readonly passedOver: string | null;
}

export function sentenceOf(ending: Ending, words: string, { broker, willTopic, passedOver }: Teller): string {
  switch (ending) {
    case 'lost':
    case 'hung_up':
      return `The connection to ${broker} is lost: ${words}.`;
    case 'passed_over':
      return passedOver === null
        ? `${broker} answers, but acknowledges no message at all. See its log.`
        : `${broker} answers, but does not acknowledge what is told on ${passedOver}. It is left out for an hour: let this user write to it, and see the broker's log.`;
    case 'taken_over':
      return `Another client with the same client id has taken over the connection to ${broker}. Give each machine its own node name.`;
    case 'refused':
      return `${broker} refuses us: ${words}. Check user, password and client id.`;
    case 'will_refused':
      return `${broker} takes this user, but not its will, the "offline" on ${willTopic}: ${words}. Let this user write to ${willTopic}.`;
    case 'unwilling':
      return `${broker} does not take us: ${words}.`;
    case 'unsupported':
      return `${broker} does not take this version of MQTT: ${words}. Set mqtt.protocol to auto.`;
    case 'unreachable':
    case 'closed_early':
    case 'silent':
      return `${broker} cannot be reached: ${words}.`;
  }
}
