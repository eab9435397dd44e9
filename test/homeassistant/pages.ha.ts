/** The pages that a person sees: what must stand on them, and pictures of them for homeassistant/README.md. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Broker } from '../lab/broker.js';
import { repository } from '../lab/paths.js';
import { becomeAlone, skipWithout } from './alone.js';
import { Automation, blueprintFiles } from './blueprints.js';
import { Browser, type Size } from './browser.js';
import { Gateway } from './gateway.js';
import { HomeAssistant } from './instance.js';
import { Phone } from './phone.js';
import { tellStory } from './story.js';

await becomeAlone();

const node = 'gateway';
const alive = `binary_sensor.${node}_stack_alive`;
const maxBytes = 150_000;

const dashboards = `
frontend:
lovelace:
  dashboards:
    sockmon-gateway:
      mode: yaml
      filename: sockmon/dashboard.yaml
      title: Gateway
      icon: mdi:router-network
      show_in_sidebar: true
`;

const dashboard = readFileSync(join(repository, 'homeassistant', 'dashboard.yaml'), 'utf8');

/** `npm run screenshots` names homeassistant/images. */
const folder = process.env.SOCKMON_SCREENSHOTS ?? mkdtempSync(join(tmpdir(), 'sockmon-pages-'));

describe('the pages', { skip: skipWithout('chromium') }, () => {
  let broker: Broker;
  let home: HomeAssistant;
  let gateway: Gateway;
  let browser: Browser;

  const picture = async (name: string, size: Size) => {
    await browser.resize(size);
    await browser.settle();
    const png = await browser.picture();
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${name}.png`), png);
    assert(png.length < maxBytes, `${name}.png has ${png.length} bytes`);
  };

  before(async () => {
    broker = await Broker.start();
    const files = {
      ...blueprintFiles(),
      'packages/pages.yaml': dashboards,
      'sockmon/dashboard.yaml': dashboard,
    };
    const startedMs = Date.now();
    home = await HomeAssistant.start({ mqttPort: broker.port, files });
    gateway = await Gateway.start(broker, node);
    await home.waitForState(alive, 'on');
    await tellStory(home, gateway, startedMs);
    browser = await Browser.start();
    const tokens = {
      ...{ access_token: home.token, token_type: 'Bearer', expires_in: 1800, refresh_token: '' },
      ...{ hassUrl: home.url, clientId: `${home.url}/`, expires: Date.now() + 86_400_000 },
    };
    await browser.beforeEveryPage(
      `localStorage.hassTokens = ${JSON.stringify(JSON.stringify(tokens))};
       localStorage.dockedSidebar = '"always_hidden"';`,
    );
  });

  after(async () => {
    // Each of them, also when one has failed: what is left behind would keep the test from ending.
    const ends = [browser?.close(), home?.stop(), gateway?.stop(), broker?.stop()];
    const failed = (await Promise.allSettled(ends)).find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
    console.log(`The pictures are in ${folder}`);
  });

  it('names on the dashboard only what there is', async () => {
    const named = dashboard.match(/\b[a-z_]+\.gateway_\w+/g) ?? [];
    const known = new Set((await home.states()).map(state => state.entity_id));
    assert(named.length > 20);
    assert.deepEqual(
      named.filter(id => !known.has(id)),
      [],
    );
  });

  it('shows state, timeline and counters on the dashboard', async () => {
    await browser.resize({ width: 1280, height: 900 });
    await browser.open(`${home.url}/sockmon-gateway/gateway`);
    await browser.untilShown('Stack alive', 'Last outage', 'Timeline', 'How good it is', 'Reboots left');
    await picture('dashboard', { width: 1280, height: 980 });
  });

  it('shows every entity on the page of the device', async () => {
    const devices = await home.call<{ id: string; name: string }[]>({ type: 'config/device_registry/list' });
    const id = devices.find(({ name }) => name === node)?.id;
    await browser.open(`${home.url}/config/devices/device/${id}`);
    await browser.untilShown('Stack alive', 'Needs attention', 'Reboot', 'Pause time', 'Last boot reason');
    await picture('device', { width: 1280, height: 1362 });
  });

  it('asks in the form of a blueprint for little and explains it', async () => {
    const phone = await Phone.register(home, "Ada's phone");
    const input = { gateway: alive, events: `event.${node}_stack_event`, phones: [phone.device] };
    await Automation.from(home, 'notify_on_crash', input, 'Gateway crash');
    await browser.open(`${home.url}/config/automation/edit/Gateway%20crash`);
    await browser.untilShown('tell my phone when the gateway crashes', 'Phones', 'Power-cycle');
    await picture('blueprint', { width: 1000, height: 1095 });
    await phone.close();
  });

  it('leaves nothing in the log', () => {
    assert.deepEqual(home.complaints(), []);
  });
});
