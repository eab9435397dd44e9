/** docs/ENTITIES.md is made from the table: SOCKMON_GOLDEN=write writes it anew. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { it } from 'node:test';
import { discoveryOf } from '../../src/homeassistant/discovery.js';
import { entitiesOf } from '../../src/homeassistant/entities.js';
import type { Entity, Watched } from '../../src/homeassistant/entity.js';
import { press } from '../../src/mqtt/commands.js';
import { eventTypes } from '../../src/mqtt/events.js';
import { topicsOf } from '../../src/mqtt/topics.js';
import { repository } from '../lab/paths.js';

const file = `${repository}docs/ENTITIES.md`;
const watched: readonly Watched[] = [
  { id: 'STACK', role: 'stack', restartable: false },
  { id: 'RESOURCE', role: 'service', restartable: true },
];
const context = { topics: topicsOf('sockmon', 'NODE', 'homeassistant'), eventTypes, press };
const entities = entitiesOf(watched, context);
const { components } = discoveryOf({ ...context, node: 'NODE', version: '', watched });

/** Home Assistant knows small letters only. */
function idOf({ key }: Entity): string {
  const id = String(components[key]?.default_entity_id);
  return id.replace('.node_', '.NODE_').replace('_resource', '_RESOURCE');
}

function kindOf({ platform, options }: Entity): string {
  const { device_class, unit_of_measurement, options: choices } = options;
  const unit = unit_of_measurement === undefined ? [] : [String(unit_of_measurement)];
  const values = Array.isArray(choices) ? [choices.join(', ')] : [];
  const kind = device_class === undefined ? [] : [String(device_class)];
  return [platform.replace('_', ' '), [...kind, ...unit, ...values].join('; ')].filter(Boolean).join(': ');
}

function rowOf(entity: Entity): string {
  const category = entity.options.entity_category ?? '';
  const stays = entity.needsNode ? '' : 'yes';
  return `| ${entity.name} | \`${idOf(entity)}\` | ${kindOf(entity)} | ${category} | ${stays} | ${entity.about} |`;
}

const text = `# The entities in Home Assistant

One device per gateway. The ids are those at the first meeting, of the gateway's name in small letters; whatever you make of them stays.
RESOURCE stands for each resource of the configuration; those that are taken out of it disappear. "Stays": keeps its value while nobody hears of the gateway;
the others are unavailable then. This page is made from the table in \`src/homeassistant\`, as discovery is.

| name | id | kind | category | stays | what |
|---|---|---|---|---|---|
${entities.map(rowOf).join('\n')}
`;

it('docs/ENTITIES.md says what the table says', () => {
  if (process.env.SOCKMON_GOLDEN === 'write') writeFileSync(file, text);
  assert.equal(readFileSync(file, 'utf8'), text);
});
