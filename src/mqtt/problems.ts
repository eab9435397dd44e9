/** What the owner has to mend at the broker, in sentences: the state and Home Assistant show them as long as they last. Pure. */
import type { LeftOut } from './left-out.js';
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

export function leftOutProblem({ topics }: LeftOut, broker: string): string | null {
  if (topics.length === 0) return null;
  return `${broker} does not acknowledge what is told on ${topics.join(', ')}, which is left out for an hour: let this user write to it, and see the broker's log`;
}
