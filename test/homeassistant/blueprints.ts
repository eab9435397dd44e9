/** Automations made from the blueprints of this repository, the way Home Assistant's own editor makes them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../lab/paths.js';
import { until } from '../lab/wait.js';
import { Listener } from '../mqtt/listener.js';
import type { HomeAssistant } from './instance.js';

const folder = 'blueprints/automation/sockmon';

/** For a Home Assistant's config folder. */
export function blueprintFiles(): Record<string, string> {
  const source = join(repository, 'homeassistant', folder);
  return Object.fromEntries(
    readdirSync(source).map(name => [`${folder}/${name}`, readFileSync(join(source, name), 'utf8')]),
  );
}

/** As by sockmon discovery --remove. */
export async function takeDeviceAway(home: HomeAssistant, port: number, entity: string): Promise<void> {
  const listener = await Listener.on({ host: '127.0.0.1', port }, {}, 'sockmon/#');
  await listener.publish('homeassistant/device/sockmon_gw1/config', '', true);
  await listener.close();
  await until('its entities to be gone', async () => (await home.state(entity)) === undefined);
}

export class Automation {
  private constructor(
    private readonly home: HomeAssistant,
    readonly entity: string,
    private readonly id: string,
  ) {}

  /** @param blueprint Name of the file, without `.yaml`. */
  static from(home: HomeAssistant, blueprint: string, input: object, alias: string): Promise<Automation> {
    return Automation.make(home, alias, { use_blueprint: { path: `sockmon/${blueprint}.yaml`, input } });
  }

  /** One of the same name is replaced. */
  static async make(home: HomeAssistant, alias: string, config: object): Promise<Automation> {
    const automation = new Automation(home, `automation.${alias.toLowerCase().replaceAll(' ', '_')}`, alias);
    const path = `/api/config/automation/config/${encodeURIComponent(alias)}`;
    // Home Assistant answers before it has taken it up: until then the old one stands there, and for a moment none.
    const reloads = await home.subscribeEvents('automation_reloaded');
    await home.rest('POST', path, { alias, ...config });
    await until(`${alias} to be taken up`, () => reloads.length > 0);
    await home.waitForState(automation.entity, 'on');
    return automation;
  }

  /** No run is under way, so what had to be done has been done. */
  async rest(): Promise<void> {
    await until(`${this.entity} to rest`, async () => {
      const state = await this.home.state(this.entity);
      return state?.attributes.current === 0;
    });
  }

  /** How the runs have ended that have: `finished`, `aborted` by a condition, … */
  async endings(): Promise<string[]> {
    const runs = await this.home.call<{ state: string; script_execution: string }[]>({
      ...{ type: 'trace/list', domain: 'automation', item_id: this.id },
    });
    return runs.filter(({ state }) => state === 'stopped').map(one => one.script_execution);
  }

  async remove(): Promise<void> {
    await this.home.rest('DELETE', `/api/config/automation/config/${encodeURIComponent(this.id)}`);
  }
}
