/** How the node is now: alive, in need of a person, what recovery does, how much it may still do. Pure. */
import { recoveryStates } from '../report/views.js';
import { type Entity, type EntityContext, fieldSensor, shortText, type Watched } from './entity.js';

export function alive({ topics }: EntityContext): Entity {
  return {
    key: 'alive',
    platform: 'binary_sensor',
    name: 'Stack alive',
    about:
      'Off when the network of the gateway is dead, or nobody hears of the gateway; never unavailable for that reason',
    needsNode: false,
    options: {
      device_class: 'connectivity',
      state_topic: topics.status,
      // `recovering` is not alive, although the node can still be reached.
      value_template: "{{ 'online' if value == 'online' else 'offline' }}",
      payload_on: 'online',
      payload_off: 'offline',
      // For automations: it stays as it is until the gateway has told of a new one.
      json_attributes_topic: topics.state,
      json_attributes_template: "{{ {'last_stack_outage': value_json.last_stack_outage} | tojson }}",
    },
  };
}

export function running({ id }: Watched, { topics }: EntityContext): Entity {
  return {
    key: `running_${id}`,
    platform: 'binary_sensor',
    name: `${id} running`,
    about: 'Whether this service is up; its state, attempts and sensors among the attributes',
    needsNode: true,
    options: {
      device_class: 'running',
      state_topic: topics.resource(id),
      value_template: "{{ 'ON' if value_json.state == 'up' else 'OFF' }}",
      json_attributes_topic: topics.resource(id),
      // Home Assistant lets no attribute be called `state`.
      json_attributes_template: '{{ dict(value_json, resource_state=value_json.state) | tojson }}',
    },
  };
}

export function health(context: EntityContext): Entity[] {
  const { topics } = context;
  const diagnostic = { entity_category: 'diagnostic' } as const;
  return [
    problem(
      'problem',
      'Needs attention',
      'What sockmon cannot mend by itself, each in a sentence among the attributes',
      'problems',
      context,
    ),
    problem(
      'held',
      'Recovery held',
      'Something is down and left alone: its attempts are used up, or the budget refuses more',
      'held',
      context,
    ),
    fieldSensor(
      topics.state,
      'recovery',
      'Recovery',
      'What sockmon is doing: of all resources the one that is worst off',
      '{{ value_json.recovery }}',
      {
        device_class: 'enum',
        options: [...recoveryStates],
        icon: 'mdi:shield-sync-outline',
        json_attributes_topic: topics.state,
        // What RESOURCE running has among its attributes is left out here: the recorder takes 16 KiB of them.
        json_attributes_template:
          "{{ {'resources': value_json.resources.network, 'not_up': value_json.resources.not_up} | tojson }}",
      },
    ),
    fieldSensor(
      topics.state,
      'reboots_left',
      'Reboots left',
      'How many reboots the budget still has; 0 while rebooting is not allowed',
      '{{ value_json.reboot.left }}',
      {
        ...diagnostic,
        state_class: 'measurement',
        icon: 'mdi:restart-alert',
        json_attributes_topic: topics.state,
        json_attributes_template: '{{ value_json.reboot | tojson }}',
      },
    ),
    fieldSensor(
      topics.state,
      'detection',
      'Detection',
      'Degraded while a sensor cannot work as it should; which and why among the attributes',
      '{{ value_json.detection.quality }}',
      {
        ...diagnostic,
        device_class: 'enum',
        options: ['full', 'degraded'],
        icon: 'mdi:radar',
        json_attributes_topic: topics.state,
        json_attributes_template: "{{ {'notes': value_json.detection.notes} | tojson }}",
      },
    ),
  ];
}

/** On while a list in the state has something in it. */
function problem(
  key: string,
  name: string,
  about: string,
  field: 'problems' | 'held',
  { topics }: EntityContext,
): Entity {
  return {
    key,
    platform: 'binary_sensor',
    name,
    about,
    needsNode: true,
    options: {
      device_class: 'problem',
      state_topic: topics.state,
      value_template: `{{ 'ON' if value_json.${field} else 'OFF' }}`,
      json_attributes_topic: topics.state,
      json_attributes_template: `{{ {'${field}': value_json.${field}} | tojson }}`,
    },
  };
}

/** A boot is a fact about the past, however long nobody has heard of the node. */
export function lastBoot({ topics }: EntityContext): Entity[] {
  const sensor = (key: string, name: string, about: string, template: string, options: Entity['options']) =>
    fieldSensor(
      topics.about,
      key,
      name,
      about,
      template,
      { entity_category: 'diagnostic', ...options },
      false,
    );
  return [
    sensor('last_boot', 'Last boot', 'When the machine was booted', '{{ value_json.boot.at }}', {
      device_class: 'timestamp',
      json_attributes_topic: topics.about,
      json_attributes_template: "{{ {'reason': value_json.boot.reason, 'by': value_json.boot.by} | tojson }}",
    }),
    sensor(
      'last_boot_reason',
      'Last boot reason',
      'By whom and why, as far as the journal can tell',
      shortText('value_json.boot.reason'),
      {
        icon: 'mdi:comment-question-outline',
      },
    ),
  ];
}

export function connection({ topics }: EntityContext): Entity[] {
  const sensor = (key: string, name: string, about: string, field: string, options: Entity['options']) =>
    fieldSensor(topics.about, key, name, about, `{{ value_json.connection.${field} }}`, {
      entity_category: 'diagnostic',
      ...options,
    });
  return [
    sensor('mqtt_protocol', 'MQTT protocol', 'By which version the broker is spoken to', 'protocol', {
      icon: 'mdi:protocol',
    }),
    sensor(
      'connected_since',
      'Connected since',
      'Since when the broker hears of it without a break',
      'since',
      { device_class: 'timestamp' },
    ),
    sensor('connects', 'Connects', 'Connections since sockmon was started', 'connects', {
      state_class: 'total_increasing',
      icon: 'mdi:lan-connect',
    }),
  ];
}
