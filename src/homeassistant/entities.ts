/** The one table of what Home Assistant gets to see of a node: discovery, docs and tests are made from it. Pure. */
import { pause, reboot, restart } from './controls.js';
import type { Entity, EntityContext, Watched } from './entity.js';
import { alive, connection, health, lastBoot, running } from './health.js';
import { counters, lastOutage, stackEvent } from './outages.js';

export function entitiesOf(watched: readonly Watched[], context: EntityContext): Entity[] {
  return [
    alive(context),
    ...watched.filter(one => one.role === 'service').map(one => running(one, context)),
    ...health(context),
    ...lastOutage(context),
    ...counters(context),
    stackEvent(context),
    ...lastBoot(context),
    reboot(context),
    ...watched.filter(one => one.restartable).map(one => restart(one, context)),
    ...pause(context),
    ...connection(context),
  ];
}
