/** Every topic, built once. The contract with the outside: change nothing here lightly. */
export interface Topics {
  /** Ours, and nobody else's, is all below it; so with Home Assistant's `discoveryRoot`, null when discovery is off. */
  readonly root: string;
  readonly discoveryRoot: string | null;
  /** `online`, `recovering` or `offline` (also the will). Retained. */
  readonly status: string;
  /** How everything stands together, as JSON. Retained. */
  readonly state: string;
  /** What seldom changes: version, boot, connection. Retained. */
  readonly about: string;
  /** Of one resource all that there is. Retained. @param id Of the configuration, which takes only what may stand in a topic. */
  resource(id: string): string;
  /** One JSON message per fact. Never retained: Home Assistant ignores retained events. */
  readonly event: string;
  /** The last closed outage as JSON. Retained. */
  readonly lastOutage: string;
  readonly reboot: string;
  readonly run: string;
  /** All that command, in words and rights. Subscribed to are the two above: RabbitMQ gives a wildcard nothing of what it has stored. */
  readonly commands: string;
  /** @param id Checked before: it becomes a topic level. */
  result(id: string): string;
  /** Home Assistant's device discovery and its birth message; null when discovery is off. */
  readonly discovery: string | null;
  readonly birth: string | null;
  /** Discovery of one entity by itself; '' when discovery is off. */
  entity(platform: string, key: string): string;
}

export function topicsOf(base: string, node: string, discoveryPrefix: string | null): Topics {
  const root = `${base}/${node}`;
  return {
    root,
    discoveryRoot: discoveryPrefix,
    status: `${root}/status`,
    state: `${root}/state`,
    about: `${root}/about`,
    resource: id => `${root}/resource/${id}`,
    event: `${root}/event`,
    lastOutage: `${root}/last_outage`,
    reboot: `${root}/cmd/reboot`,
    run: `${root}/cmd/run`,
    commands: `${root}/cmd/#`,
    result: id => `${root}/result/${id}`,
    discovery: discoveryPrefix === null ? null : `${discoveryPrefix}/device/sockmon_${node}/config`,
    birth: discoveryPrefix === null ? null : `${discoveryPrefix}/status`,
    entity: (platform, key) =>
      discoveryPrefix === null ? '' : `${discoveryPrefix}/${platform}/sockmon_${node}/${key}/config`,
  };
}
