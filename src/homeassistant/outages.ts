/** What has happened: the last outage, the counters, the event. Facts about the past stay true while nobody hears of the node. Pure. */
import { type Entity, type EntityContext, fieldSensor, shortText } from './entity.js';

export function lastOutage({ topics }: EntityContext): Entity[] {
  const sensor = (
    key: string,
    name: string,
    about: string,
    template: string,
    options: Entity['options'],
  ): Entity => ({
    key,
    platform: 'sensor',
    name,
    about,
    needsNode: false,
    options: { state_topic: topics.lastOutage, value_template: template, ...options },
  });
  return [
    sensor(
      'last_outage',
      'Last outage',
      'When the last outage that is over began; the whole record, with its evidence, among the attributes',
      '{{ value_json.began_at }}',
      {
        device_class: 'timestamp',
        json_attributes_topic: topics.lastOutage,
      },
    ),
    sensor(
      'last_outage_duration',
      'Last outage duration',
      'From the death to the verified recovery',
      '{{ value_json.duration_s }}',
      {
        device_class: 'duration',
        unit_of_measurement: 's',
        suggested_display_precision: 1,
      },
    ),
    sensor(
      'last_outage_cause',
      'Last outage cause',
      'In a few words, e.g. killed by SIGSEGV, core dumped',
      shortText('value_json.cause'),
      {
        icon: 'mdi:comment-alert-outline',
      },
    ),
    sensor(
      'last_outage_attempts',
      'Last outage attempts',
      'How often a script ran for it',
      '{{ value_json.attempts }}',
      {
        entity_category: 'diagnostic',
        icon: 'mdi:counter',
      },
    ),
    sensor(
      'last_outage_outcome',
      'Last outage outcome',
      'Whether it recovered, or its resource was taken out of the configuration meanwhile',
      '{{ value_json.outcome }}',
      {
        entity_category: 'diagnostic',
        device_class: 'enum',
        // forgotten: its resource was taken out of the configuration meanwhile.
        options: ['recovered', 'forgotten'],
        icon: 'mdi:flag-checkered',
      },
    ),
  ];
}

export function counters({ topics }: EntityContext): Entity[] {
  const uptime = (key: string, name: string, about: string, field: string) =>
    fieldSensor(topics.state, key, name, about, `{{ value_json.${field} }}`, {
      state_class: 'measurement',
      unit_of_measurement: '%',
      suggested_display_precision: 2,
      icon: 'mdi:timeline-check-outline',
    });
  return [
    fieldSensor(
      topics.state,
      'outages_24h',
      'Outages in 24 h',
      'Of anything that is watched',
      '{{ value_json.outages_24h }}',
      { state_class: 'measurement', icon: 'mdi:lan-disconnect' },
      false,
    ),
    fieldSensor(
      topics.state,
      'outages_total',
      'Outages',
      'Of anything that is watched, since the beginning of the journal',
      '{{ value_json.outages_total }}',
      { entity_category: 'diagnostic', state_class: 'total_increasing', icon: 'mdi:lan-disconnect' },
      false,
    ),
    uptime(
      'uptime_24h',
      'Uptime in 24 h',
      'Share of the time without an outage of the network itself; unknown in the first hour of the journal',
      'uptime_24h_pct',
    ),
    uptime(
      'uptime_30d',
      'Uptime in 30 days',
      'The same for 30 days, or since the beginning of the journal; unknown in its first day',
      'uptime_30d_pct',
    ),
  ];
}

export function stackEvent({ topics, eventTypes }: EntityContext): Entity {
  return {
    key: 'event',
    platform: 'event',
    name: 'Stack event',
    about: `Fires once for each fact, with its true times among the attributes: ${eventTypes.join(', ')}`,
    // Coming back from `unavailable` would look to an automation like the last event happening again.
    needsNode: false,
    options: { state_topic: topics.event, event_types: [...eventTypes], icon: 'mdi:history' },
  };
}
