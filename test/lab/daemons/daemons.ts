/** All daemons of the table, in its order. */
import type { Daemon } from './daemon.js';
import { leases } from './leases.js';
import { resolvers } from './resolvers.js';
import { routing } from './routing.js';
import { servers } from './servers.js';
import { tunnels } from './tunnels.js';

export const daemons: readonly Daemon[] = [...resolvers, ...leases, ...routing, ...tunnels, ...servers];
