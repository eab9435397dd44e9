/** What a person can press, switch and set. Everything goes through the guard. Pure. */
import { commandTemplate, type Entity, type EntityContext, type Watched } from './entity.js';

export function reboot({ topics, press }: EntityContext): Entity {
  return {
    key: 'reboot',
    platform: 'button',
    name: 'Reboot',
    about: 'Asks for a reboot; the guard decides, and its no is the event reboot_refused',
    // Also while rebooting is not allowed: the blueprints, and copies of them in people's houses, take the gateway for out of reach when it is
    // unavailable or missing, and cut its power.
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

export function restart({ id }: Watched, { topics }: EntityContext): Entity {
  return {
    key: `restart_${id}`,
    platform: 'button',
    name: `Restart ${id}`,
    about: 'Runs its restart script, as at its death; where that is refused, it is the event restart_refused',
    needsNode: true,
    options: {
      device_class: 'restart',
      entity_category: 'config',
      command_topic: topics.run,
      command_template: commandTemplate(`"action":"restart","target":"${id}"`),
      retain: false,
    },
  };
}

/** Leaves everything alone, for as long as the number beside it says; then it goes off by itself. */
export function pause({ topics }: EntityContext): Entity[] {
  return [
    {
      key: 'pause',
      platform: 'switch',
      name: 'Pause',
      about: 'On: everything is left alone, for the pause time; then it goes off by itself',
      needsNode: true,
      options: {
        entity_category: 'config',
        icon: 'mdi:pause-octagon-outline',
        state_topic: topics.state,
        value_template: "{{ 'ON' if value_json.pause else 'OFF' }}",
        state_on: 'ON',
        state_off: 'OFF',
        payload_on: 'pause',
        payload_off: 'resume',
        command_topic: topics.run,
        command_template: commandTemplate('"action":"{{ value }}"'),
        json_attributes_topic: topics.state,
        json_attributes_template: "{{ {'until': value_json.pause} | tojson }}",
        optimistic: false,
        retain: false,
      },
    },
    {
      key: 'pause_time',
      platform: 'number',
      name: 'Pause time',
      about: 'How long the switch pauses',
      needsNode: true,
      options: {
        entity_category: 'config',
        icon: 'mdi:timer-pause-outline',
        min: 1,
        max: 1440,
        step: 1,
        mode: 'box',
        unit_of_measurement: 'min',
        state_topic: topics.state,
        value_template: '{{ (value_json.pause_time_s / 60) | round(0) | int }}',
        command_topic: topics.run,
        command_template: commandTemplate('"action":"pause_time","for_s":{{ (value | float * 60) | int }}'),
        retain: false,
      },
    },
  ];
}
