/** What the owner has to mend at the broker, in sentences: the state and Home Assistant show them as long as they last. Pure. */
import { type LeftOut, leftOutWords } from './left-out.js';
import type { Rivalry } from './rivalry.js';

export function rivalProblem(
  rival: ReturnType<Rivalry['known']>,
  broker: string,
  clientId: string,
): string | null {
  switch (rival) {
    case 'proven':
      return `another client with the id ${clientId} takes over the connection to ${broker}: give each machine its own node name`;
    case 'guessed':
      return `${broker} closes the connection again and again soon after it was made: probably another client has the id ${clientId} too; give each machine its own node name, or see the broker's log`;
    case null:
      return null;
  }
}

export function leftOutProblem(leftOut: LeftOut, broker: string): string | null {
  const passedOver = leftOut.topics('unacknowledged');
  const hungUpAt = leftOut.topics('hung_up');
  const words = [
    ...(passedOver.length === 0
      ? []
      : [`does not acknowledge ${leftOutWords(passedOver)}, which is left out for an hour`]),
    ...(hungUpAt.length === 0 ? [] : [`hangs up at ${leftOutWords(hungUpAt)}, which is left out for a day`]),
  ];
  if (words.length === 0) return null;
  return `${broker} ${words.join('; it ')}: give this user the right to it, and see the broker's log`;
}
