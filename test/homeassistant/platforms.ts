/** What each of Home Assistant's MQTT platforms that we use takes, and the rules that no single key shows. */

export interface Check {
  readonly expected: string;
  accepts(value: unknown): boolean;
}

export interface PlatformRules {
  readonly required: readonly string[];
  readonly options: Readonly<Record<string, Check>>;
  rules?(component: Readonly<Record<string, unknown>>): string[];
}

const text: Check = { expected: 'a string', accepts: value => typeof value === 'string' };
const number: Check = { expected: 'a number', accepts: value => typeof value === 'number' };
const bool: Check = { expected: 'a boolean', accepts: value => typeof value === 'boolean' };
export const topicCheck: Check = {
  expected: 'a topic without wildcards',
  accepts: value => typeof value === 'string' && /^[^+#\0]{1,65535}$/.test(value),
};
const seconds: Check = {
  expected: 'a whole number from 1',
  accepts: value => Number.isInteger(value) && (value as number) >= 1,
};
const oneOf = (...words: string[]): Check => ({
  expected: `one of ${words.join(', ')}`,
  accepts: value => words.includes(String(value)),
});
const list: Check = {
  expected: 'a non-empty list of different strings',
  accepts: value =>
    Array.isArray(value) &&
    value.length > 0 &&
    value.every(item => typeof item === 'string') &&
    new Set(value).size === value.length,
};

const binaryClasses =
  'battery battery_charging carbon_monoxide cold connectivity door garage_door gas heat light lock moisture motion moving occupancy opening plug power presence problem running safety smoke sound tamper update vibration window'.split(
    ' ',
  );

/** Units that a device class takes; [] = none may be given. Only the classes that a gateway can have. */
const sensorUnits: Readonly<Record<string, readonly string[]>> = {
  date: [],
  timestamp: [],
  enum: [],
  duration: ['d', 'h', 'min', 's', 'ms', 'µs'],
  data_rate: ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'B/s', 'kB/s', 'MB/s', 'GB/s'],
  data_size: ['bit', 'kbit', 'Mbit', 'Gbit', 'B', 'kB', 'MB', 'GB', 'TB'],
  temperature: ['°C', '°F', 'K'],
  signal_strength: ['dB', 'dBm'],
};

export const platforms: Readonly<Record<string, PlatformRules>> = {
  binary_sensor: {
    required: ['state_topic', 'unique_id'],
    options: {
      state_topic: topicCheck,
      device_class: oneOf(...binaryClasses),
      payload_on: text,
      payload_off: text,
      value_template: text,
      off_delay: seconds,
      expire_after: seconds,
      force_update: bool,
      entity_category: oneOf('diagnostic'),
    },
    rules: ({ payload_on = 'ON', payload_off = 'OFF' }) =>
      payload_on === payload_off ? ['payload_on and payload_off are the same'] : [],
  },
  sensor: {
    required: ['state_topic', 'unique_id'],
    options: {
      state_topic: topicCheck,
      device_class: oneOf(...Object.keys(sensorUnits)),
      state_class: oneOf('measurement', 'measurement_angle', 'total', 'total_increasing'),
      unit_of_measurement: text,
      suggested_display_precision: {
        expected: 'a whole number from 0',
        accepts: value => Number.isInteger(value) && (value as number) >= 0,
      },
      options: list,
      expire_after: seconds,
      force_update: bool,
      last_reset_value_template: text,
      value_template: text,
      entity_category: oneOf('diagnostic'),
    },
    rules: sensorRules,
  },
  event: {
    required: ['state_topic', 'event_types', 'unique_id'],
    options: {
      state_topic: topicCheck,
      event_types: list,
      device_class: oneOf('button', 'doorbell', 'motion'),
      value_template: text,
      entity_category: oneOf('diagnostic', 'config'),
    },
  },
  button: {
    required: ['command_topic', 'unique_id'],
    options: {
      command_topic: topicCheck,
      command_template: text,
      payload_press: text,
      device_class: oneOf('identify', 'restart', 'update'),
      retain: bool,
      entity_category: oneOf('diagnostic', 'config'),
    },
    rules: ({ retain }) => (retain === true ? ['a retained press is pressed again at every connect'] : []),
  },
  switch: {
    required: ['command_topic', 'unique_id'],
    options: {
      command_topic: topicCheck,
      command_template: text,
      state_topic: topicCheck,
      value_template: text,
      payload_on: text,
      payload_off: text,
      state_on: text,
      state_off: text,
      optimistic: bool,
      retain: bool,
      device_class: oneOf('outlet', 'switch'),
      entity_category: oneOf('diagnostic', 'config'),
    },
    rules: ({ retain }) => (retain === true ? ['a retained command is carried out at every connect'] : []),
  },
  number: {
    required: ['command_topic', 'unique_id'],
    options: {
      command_topic: topicCheck,
      command_template: text,
      state_topic: topicCheck,
      value_template: text,
      min: number,
      max: number,
      step: number,
      mode: oneOf('auto', 'box', 'slider'),
      unit_of_measurement: text,
      optimistic: bool,
      retain: bool,
      entity_category: oneOf('diagnostic', 'config'),
    },
    rules: ({ min = 1, max = 100 }) => (Number(min) < Number(max) ? [] : ['min must be less than max']),
  },
};

function sensorRules(sensor: Readonly<Record<string, unknown>>): string[] {
  const faults: string[] = [];
  const deviceClass = typeof sensor.device_class === 'string' ? sensor.device_class : null;
  const units = deviceClass === null ? undefined : sensorUnits[deviceClass];
  const unit = sensor.unit_of_measurement;
  if (units !== undefined && unit !== undefined && !units.includes(String(unit))) {
    faults.push(`unit_of_measurement: ${String(unit)} is not valid for device_class ${deviceClass}`);
  }
  if (deviceClass === 'duration' && unit === undefined)
    faults.push('unit_of_measurement: duration needs one');
  if ('state_class' in sensor && ['timestamp', 'date', 'enum'].includes(deviceClass ?? '')) {
    faults.push(`state_class: not with device_class ${deviceClass}`);
  }
  if ('options' in sensor) {
    if (deviceClass !== 'enum') faults.push('options: only with device_class enum');
    if ('state_class' in sensor || unit !== undefined) faults.push('options: not with state_class or unit');
  }
  if (deviceClass === 'enum' && !('options' in sensor)) faults.push('device_class enum: needs options');
  if ('last_reset_value_template' in sensor && sensor.state_class !== 'total') {
    faults.push('last_reset_value_template: only with state_class total');
  }
  return faults;
}
