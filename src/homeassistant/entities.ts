/** The one table of what Home Assistant gets to see of a node. Names leave out the device: Home Assistant puts it in front. */
import type { Role } from '../core/policy.js';

export type Platform = 'binary_sensor' | 'sensor' | 'event' | 'button';

/** What the table is made from. */
export interface Watched {
  readonly id: string;
  readonly role: Role;
  readonly restartable: boolean;
}

export interface EntityTopics {
  readonly status: string;
  readonly state: string;
  readonly event: string;
  readonly lastOutage: string;
  readonly reboot: string;
  readonly run: string;
}

export interface Entity {
  /** Unique within the node. */
  readonly key: string;
  readonly platform: Platform;
  readonly name: string;
  /**
   * Whether it is unavailable while the node is offline. Facts about the past are not: they stay true; nor is the entity that
   * says whether the node lives, which would show `unavailable` in place of `off`.
   */
  readonly needsNode: boolean;
  readonly options: Readonly<Record<string, unknown>>;
}

export interface EntityContext {
  readonly topics: EntityTopics;
  readonly eventTypes: readonly string[];
  /** What the reboot button sends. */
  readonly press: string;
}

/** Home Assistant refuses longer states. */
const maxStateChars = 255;

export function entitiesOf(watched: readonly Watched[], context: EntityContext): Entity[] {
  return [
    alive(context),
    problem(context),
    ...watched.filter(one => one.role === 'service').map(one => running(one, context)),
    ...lastOutage(context),
    outages24h(context),
    stackEvent(context),
    reboot(context),
    ...watched.filter(one => one.restartable).map(one => restart(one, context)),
    ...connection(context),
  ];
}

function alive({ topics }: EntityContext): Entity {
  return {
    key: 'alive',
    platform: 'binary_sensor',
    name: 'Stack alive',
    needsNode: false,
    options: {
      device_class: 'connectivity',
      state_topic: topics.status,
      // `recovering` is not alive, although the node can still be reached.
      value_template: "{{ 'online' if value == 'online' else 'offline' }}",
      payload_on: 'online',
      payload_off: 'offline',
    },
  };
}

/** On while something is down and left alone, or keeps dying: what sockmon cannot mend by itself. */
function problem({ topics }: EntityContext): Entity {
  return {
    key: 'problem',
    platform: 'binary_sensor',
    name: 'Needs attention',
    needsNode: true,
    options: {
      device_class: 'problem',
      state_topic: topics.state,
      value_template: "{{ 'ON' if value_json.problems else 'OFF' }}",
      json_attributes_topic: topics.state,
      json_attributes_template: "{{ {'problems': value_json.problems} | tojson }}",
    },
  };
}

function running({ id }: Watched, { topics }: EntityContext): Entity {
  return {
    key: `running_${id}`,
    platform: 'binary_sensor',
    name: `${id} running`,
    needsNode: true,
    options: {
      device_class: 'running',
      state_topic: topics.state,
      value_template: `{{ 'ON' if value_json.resources.get('${id}', {}).get('state') == 'up' else 'OFF' }}`,
    },
  };
}

function lastOutage({ topics }: EntityContext): Entity[] {
  const base = { platform: 'sensor' as const, needsNode: false };
  return [
    {
      ...base,
      key: 'last_outage',
      name: 'Last outage',
      options: {
        device_class: 'timestamp',
        state_topic: topics.lastOutage,
        value_template: '{{ value_json.began_at }}',
        json_attributes_topic: topics.lastOutage,
      },
    },
    {
      ...base,
      key: 'last_outage_duration',
      name: 'Last outage duration',
      options: {
        device_class: 'duration',
        unit_of_measurement: 's',
        suggested_display_precision: 1,
        state_topic: topics.lastOutage,
        value_template: '{{ value_json.duration_s }}',
      },
    },
    {
      ...base,
      key: 'last_outage_cause',
      name: 'Last outage cause',
      options: {
        state_topic: topics.lastOutage,
        value_template: `{{ value_json.cause[:${maxStateChars}] }}`,
      },
    },
  ];
}

function outages24h({ topics }: EntityContext): Entity {
  return {
    key: 'outages_24h',
    platform: 'sensor',
    name: 'Outages in 24 h',
    needsNode: false,
    options: {
      state_class: 'measurement',
      state_topic: topics.state,
      value_template: '{{ value_json.outages_24h }}',
    },
  };
}

function stackEvent({ topics, eventTypes }: EntityContext): Entity {
  return {
    key: 'event',
    platform: 'event',
    name: 'Stack event',
    // Coming back from `unavailable` would look to an automation like the last event happening again.
    needsNode: false,
    options: { state_topic: topics.event, event_types: [...eventTypes] },
  };
}

function reboot({ topics, press }: EntityContext): Entity {
  return {
    key: 'reboot',
    platform: 'button',
    name: 'Reboot',
    needsNode: true,
    options: {
      device_class: 'restart',
      entity_category: 'config',
      command_topic: topics.reboot,
      payload_press: press,
      retain: false,
    },
  };
}

function restart({ id }: Watched, { topics }: EntityContext): Entity {
  const commandId = 'ha-{{ now().timestamp() }}-{{ range(100000, 1000000) | random }}';
  return {
    key: `restart_${id}`,
    platform: 'button',
    name: `Restart ${id}`,
    needsNode: true,
    options: {
      device_class: 'restart',
      entity_category: 'config',
      command_topic: topics.run,
      command_template: `{"v":1,"id":"${commandId}","action":"restart","target":"${id}","issued_at":"{{ now().isoformat() }}"}`,
      retain: false,
    },
  };
}

function connection({ topics }: EntityContext): Entity[] {
  const sensor = (key: string, name: string, field: string, options: Entity['options'] = {}): Entity => ({
    key,
    platform: 'sensor',
    name,
    needsNode: true,
    options: {
      entity_category: 'diagnostic',
      state_topic: topics.state,
      value_template: `{{ value_json.connection.${field} }}`,
      ...options,
    },
  });
  return [
    sensor('mqtt_protocol', 'MQTT protocol', 'protocol'),
    sensor('connected_since', 'Connected since', 'since', { device_class: 'timestamp' }),
    sensor('connects', 'Connects', 'connects', { state_class: 'total_increasing' }),
  ];
}
