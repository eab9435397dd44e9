import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SockmonError } from '../../src/base/errors.js';
import { formatFault, seedConfig, stateDirOf } from '../../src/config/load.js';
import { safeNode } from '../../src/system/default-node.js';
import { repository } from '../lab/paths.js';
import { least, workshop } from './workshop.js';

const stack = (everyMs: number) => ({
  kind: 'stack',
  name: 'stack',
  canKill: false,
  proves: 'loopback',
  fields: { everyMs },
});
const linkOf = (name: string, more: Record<string, string | boolean> = {}) => ({
  kind: 'link',
  name: `link ${name}`,
  canKill: false,
  proves: 'traffic',
  fields: {
    interface: name,
    address: 'keep',
    defaultRoute: false,
    carrier: false,
    renewalMs: 10_000,
    ...more,
  },
});
const uplinkOf = (more: Record<string, string | number | boolean> = {}) => ({
  kind: 'uplink',
  name: 'uplink',
  canKill: false,
  proves: 'traffic',
  fields: { families: 'auto', carrier: false, renewalMs: 10_000, ...more },
});
const link = uplinkOf();
const programOf = (name: string, fields: Record<string, string>) => ({
  kind: 'process',
  name: `process ${name}`,
  canKill: true,
  fields,
});

const minuteMs = 60_000;
/** The defaults of what makes a resource's recovery a careful one. */
const careful = {
  restartBudget: { max: 30, perMs: 60 * minuteMs },
  flapping: { max: 4, perMs: 10 * minuteMs },
  needs: [],
  fallMs: null,
  riseMs: 0,
  settleMs: 10_000,
};
const rebootWays = {
  command: ['systemctl', 'reboot'],
  forceCommand: ['systemctl', 'reboot', '--force'],
  holdOffMs: [10 * minuteMs, 60 * minuteMs, 360 * minuteMs],
};
const stepDefaults = {
  attempts: 6,
  everyMs: 30_000,
  backoff: 1,
  timeoutMs: 60_000,
  graceMs: 5000,
  journalLines: 0,
};

test('the least configuration gets every default', context => {
  const { write, load } = workshop(context);
  write('a.yaml', least);
  const config = load(['a.yaml'], { env: { STATE_DIRECTORY: '/run/state:/run/other' } });
  assert.deepEqual(config, {
    node: safeNode(hostname()),
    stateDir: '/run/state',
    log: { level: 'info', format: 'text' },
    policy: {
      resources: [
        {
          id: 'tcpip',
          role: 'network',
          sensors: [stack(60_000), link],
          steps: [],
          rebootWhenFailed: false,
          ...careful,
        },
      ],
      reboot: { allowed: false, minUptimeMs: 300_000, budget: { max: 3, perMs: 86_400_000 }, ...rebootWays },
      commands: { enabled: true, allowPress: false },
    },
    mqtt: null,
    embeddedBroker: null,
  });
});

test('defaults < files < environment < arguments', context => {
  const { write, load } = workshop(context);
  write('a.yaml', least);
  write('b.yaml', 'log: {level: warn}\n');
  write('c.yaml', 'log: {level: error}\n');
  const env = { SOCKMON_LOG_LEVEL: 'debug' };
  const args = ['--log-level=warn'];
  const level = (files: string[], source = {}): string => load(files, source).log.level;
  assert.equal(level(['a.yaml']), 'info');
  assert.equal(level(['a.yaml', 'b.yaml']), 'warn');
  assert.equal(level(['a.yaml', 'b.yaml', 'c.yaml']), 'error');
  assert.equal(level(['a.yaml', 'c.yaml', 'b.yaml']), 'warn');
  assert.equal(level(['a.yaml', 'c.yaml'], { env }), 'debug');
  assert.equal(level(['a.yaml', 'c.yaml'], { env, args }), 'warn');
});

test('resources are merged by their names, key by key, shorthands too', context => {
  const { write, load, folder } = workshop(context);
  write('a.yaml', 'resources:\n  tcpip: {watch: tcpip, restart: ./script}\n  old: {watch: stack}\n');
  write(
    'b.yaml',
    'resources:\n  tcpip: {restart: {attempts: 2}}\n  dns: {watch: {process: {name: dnsmasq}}}\n',
  );
  const { resources } = load(['a.yaml', 'b.yaml']).policy;
  assert.deepEqual(
    resources.map(resource => resource.id),
    ['tcpip', 'old', 'dns'],
  );
  assert.equal(resources[0]?.steps[0]?.attempts, 2);
  assert.deepEqual(resources[0]?.steps[0]?.argv, [join(folder, 'script')]);
});

test('every form of a resource', context => {
  const { write, load, folder } = workshop(context);
  write(
    'a.yaml',
    `resources:
  pppoe:
    watch: [ {process: {pidfile: run/ppp.pid, name: pppd}}, {link: {interface: ppp0, carrier: dead}}, stack ]
    restart: {script: ./script, args: [wan, "2"], attempts: 4, every: 10s, timeout: 1m, grace: 1500ms}
  dns:
    watch: {process: {listen: "tcp:53"}}
    restart: ./script
    reboot: true
  eth1:
    watch: {link: eth1}
  quiet:
    watch:
      - {stack: {every: 5m}}
      - link
      - {link: {interface: default, carrier: dead}}
      - {link: {interface: eth2, default_route: dead, address: ignore, renewal: 0s}}
      - {uplink: {towards: [192.0.2.1, "2001:db8::1"], families: all, mark: 16, vrf: red, renewal: 1m}}
      - {uplink: {towards: "2001:db8::1"}}
      - {uplink: {table: 201}}
      - {uplink: {table: wan}}
    restart: ./script
    reboot: false
`,
  );
  const script = join(folder, 'script');
  const steps = [{ ...stepDefaults, name: 'script', argv: [script] }];
  const eth2 = { interface: 'eth2', address: 'ignore', defaultRoute: true, carrier: false, renewalMs: 0 };
  assert.deepEqual(load(['a.yaml']).policy.resources, [
    {
      id: 'pppoe',
      role: 'network',
      sensors: [
        programOf('pppd', { pidfile: join(folder, 'run/ppp.pid'), name: 'pppd' }),
        linkOf('ppp0', { carrier: true }),
        stack(60_000),
      ],
      steps: [
        {
          ...stepDefaults,
          name: 'script',
          argv: [script, 'wan', '2'],
          attempts: 4,
          everyMs: 10_000,
          graceMs: 1500,
        },
      ],
      rebootWhenFailed: true,
      ...careful,
    },
    {
      id: 'dns',
      role: 'service',
      sensors: [programOf('tcp:53', { listen: 'tcp:53' })],
      steps,
      rebootWhenFailed: true,
      ...careful,
    },
    {
      id: 'eth1',
      role: 'service',
      sensors: [linkOf('eth1')],
      steps: [],
      rebootWhenFailed: false,
      ...careful,
    },
    {
      id: 'quiet',
      role: 'network',
      sensors: [
        stack(300_000),
        link,
        uplinkOf({ carrier: true }),
        { ...linkOf('eth2'), fields: eth2 },
        uplinkOf({
          towards4: '192.0.2.1',
          towards6: '2001:db8::1',
          families: 'all',
          mark: 16,
          vrf: 'red',
          renewalMs: 60_000,
        }),
        uplinkOf({ towards6: '2001:db8::1' }),
        uplinkOf({ table: '201' }),
        uplinkOf({ table: 'wan' }),
      ],
      steps,
      rebootWhenFailed: false,
      ...careful,
    },
  ]);
});

test('a ladder: every key of a step, names by the scripts, and what stands beside it', context => {
  const { write, load, folder } = workshop(context);
  write('restart-dns.sh', '#!/bin/sh\n', 0o755);
  write(
    'a.yaml',
    `resources:
  dns:
    watch: {process: {name: dnsmasq}}
    restart:
      - ./script
      - ./restart-dns.sh
      - {script: ./script, name: again, attempts: 2, every: 1m, backoff: 1.5, journal_lines: 20}
    restart_budget: {max: 12, per: 30m}
    needs: tcpip
    fall: 2s
    rise: 1500ms
    settle: 1m
  tcpip: {watch: tcpip}
reboot: {hold_off: [], force_command: [/bin/false]}
`,
  );
  const { resources, reboot } = load(['a.yaml']).policy;
  const [dns] = resources;
  const script = join(folder, 'script');
  assert.deepEqual(dns?.steps, [
    { ...stepDefaults, name: 'script', argv: [script] },
    { ...stepDefaults, name: 'restart-dns', argv: [join(folder, 'restart-dns.sh')] },
    {
      ...stepDefaults,
      name: 'again',
      argv: [script],
      attempts: 2,
      everyMs: minuteMs,
      backoff: 1.5,
      journalLines: 20,
    },
  ]);
  const { restartBudget, needs, fallMs, riseMs, settleMs } = dns;
  assert.deepEqual(
    { restartBudget, needs, fallMs, riseMs, settleMs },
    {
      restartBudget: { max: 12, perMs: 30 * minuteMs },
      needs: ['tcpip'],
      fallMs: 2000,
      riseMs: 1500,
      settleMs: minuteMs,
    },
  );
  assert.deepEqual([reboot.holdOffMs, reboot.forceCommand], [[], ['/bin/false']]);
});

test('a wait that is shorter than the time-out gets a warning where somebody has chosen it', context => {
  const { write, load } = workshop(context);
  const warningsOf = (restart: string): string[] => {
    write('a.yaml', `resources: {a: {watch: stack, restart: ${restart}}}\n`);
    const warnings: string[] = [];
    load(['a.yaml'], { onWarning: warning => warnings.push(formatFault(warning)) });
    return warnings;
  };
  for (const usual of [
    './script',
    '{script: ./script, every: 30s}',
    '{script: ./script, every: 30s, timeout: 1m}',
    '{script: ./script, every: 3s, timeout: 3s}',
    '{script: ./script, every: 2m}',
    '{script: ./script, timeout: 20s}',
  ])
    assert.deepEqual(warningsOf(usual), [], usual);
  assert.deepEqual(warningsOf('{script: ./script, every: 3s}'), [
    'a.yaml:1:40: resources.a.restart: every (3s) of the step script is shorter than its timeout (1m): when the script takes longer than 3s, the next attempt begins as soon as a second after its end; raise every, or lower timeout',
  ]);
  assert.equal(warningsOf('{script: ./script, timeout: 61s}').length, 1);
});

test('a budget that is used up before the ladder is gets a warning', context => {
  const { write, load } = workshop(context);
  write('a.yaml', 'resources: {a: {watch: stack, restart: {script: ./script, attempts: 31}}}\n');
  const warnings: string[] = [];
  load(['a.yaml'], { onWarning: warning => warnings.push(formatFault(warning)) });
  assert.deepEqual(warnings, [
    'a.yaml:1:40: resources.a.restart: the steps have 31 attempts, restart_budget.max allows 30: the last of them come too late; raise it',
  ]);
});

test('only the policy: without scripts, without secrets', context => {
  const { write, load } = workshop(context);
  write(
    'a.yaml',
    'resources: {a: {watch: stack, restart: ./nowhere}}\nmqtt: {url: "mqtt://h", username: u, password_file: nowhere}\n',
  );
  const config = load(['a.yaml'], { policyOnly: true });
  assert.equal(config.policy.resources[0]?.steps[0]?.name, 'nowhere');
  assert.equal(config.mqtt?.password, null);
});

test('the environment reaches every kind of scalar', context => {
  const { write, load, folder } = workshop(context);
  write('a.yaml', least);
  const config = load(['a.yaml'], {
    env: {
      SOCKMON_NODE: '42',
      SOCKMON_STATE_DIR: 'state',
      SOCKMON_LOG_FORMAT: 'json',
      SOCKMON_REBOOT_ALLOWED: 'true',
      SOCKMON_REBOOT_MIN_UPTIME: '0s',
      SOCKMON_REBOOT_BUDGET_MAX: '7',
      SOCKMON_MQTT_URL: 'mqtts://broker.lan',
      SOCKMON_MQTT_USERNAME: 'u',
      SOCKMON_MQTT_PROTOCOL: '5',
      SOCKMON_MQTT_KEEPALIVE: '1m',
      SOCKMON_MQTT_DISCOVERY_PREFIX: 'false',
      SOCKMON_MQTT_TLS_SERVERNAME: 'h',
      SOCKMON_TEST_ANYTHING: 'x',
      SOCKMON_RESOURCE: 'tcpip',
    },
  });
  const { node, stateDir, log, policy, mqtt } = config;
  assert.deepEqual(
    { node, stateDir, log },
    { node: '42', stateDir: join(folder, 'state'), log: { level: 'info', format: 'json' } },
  );
  assert.deepEqual(policy.reboot, {
    allowed: true,
    minUptimeMs: 0,
    budget: { max: 7, perMs: 86_400_000 },
    ...rebootWays,
  });
  assert.deepEqual(mqtt, {
    url: 'mqtts://broker.lan',
    username: 'u',
    password: null,
    tls: { ca: null, cert: null, key: null, servername: 'h' },
    secretFiles: { password: null, ca: null, cert: null, key: null },
    protocol: '5',
    clientId: 'sockmon-42',
    keepaliveS: 60,
    base: 'sockmon',
    discoveryPrefix: null,
    suggestedArea: null,
    commands: { key: null, responsePrefix: 'sockmon/42/result/' },
  });
});

test('a section that only the environment mentions exists, and its faults name no file', context => {
  const { write, load, faults } = workshop(context);
  write('a.yaml', least);
  assert.equal(load(['a.yaml'], { env: { SOCKMON_MQTT_EMBEDDED: 'true' } }).embeddedBroker?.port, 1883);
  assert.deepEqual(faults(['a.yaml'], { env: { SOCKMON_MQTT_BASE: 'x' } }).map(formatFault), [
    'environment: mqtt: names no broker; expected url: mqtt://… or embedded: true',
  ]);
});

test('what the tests and their set-up read from the environment is no fault', context => {
  const { write, load } = workshop(context);
  write('a.yaml', least);
  const read = /(?:process\.env[.[']+|getenv\("|number_from\(")(SOCKMON_\w+)/g;
  const files = ['scripts', 'test', 'bench'].flatMap(folder => {
    const names = readdirSync(join(repository, folder), { recursive: true, encoding: 'utf8' });
    return names.filter(name => /\.(ts|mjs|cc)$/.test(name)).map(name => join(repository, folder, name));
  });
  const names = new Set(
    files.flatMap(file => [...readFileSync(file, 'utf8').matchAll(read)].map(found => found[1])),
  );
  assert.ok(names.has('SOCKMON_HA_CACHE') && names.has('SOCKMON_FUZZ_ROUNDS'), [...names].join(' '));
  const env = Object.fromEntries([...names].map(name => [name, 'x']));
  assert.doesNotThrow(() => load(['a.yaml'], { env }));
});

test('variables that are no settings are refused', context => {
  const { write, faults } = workshop(context);
  write('a.yaml', least);
  const told = (env: Record<string, string>): string[] => faults(['a.yaml'], { env }).map(formatFault);
  assert.deepEqual(told({ SOCKMON_LOG_LEVEL: '' }), [
    'environment: SOCKMON_LOG_LEVEL: is empty; unset it, or give it a value',
  ]);
  assert.deepEqual(told({ SOCKMON_ZEBRA: 'x' }), ['environment: SOCKMON_ZEBRA: is no setting']);
  const [password] = told({ SOCKMON_MQTT_PASSWORD: 'hunter2' });
  assert.match(password ?? '', /^environment: SOCKMON_MQTT_PASSWORD: .*SOCKMON_MQTT_PASSWORD_FILE$/);
  assert.doesNotMatch(password ?? '', /hunter2/);
});

test('the configuration is frozen to its depths', context => {
  const { write, load } = workshop(context);
  write('a.yaml', `${least}mqtt: {embedded: true}\n`);
  const frozen = (value: unknown): boolean =>
    typeof value !== 'object' ||
    value === null ||
    (Object.isFrozen(value) && Object.values(value).every(frozen));
  assert.ok(frozen(load(['a.yaml'])));
});

test('the form of the seed', context => {
  const { folder, write } = workshop(context);
  const source = { env: {}, cwd: folder };
  const config = seedConfig('./script', source);
  assert.equal(config.mqtt, null);
  assert.equal(config.policy.reboot.allowed, false);
  assert.deepEqual(config.policy.resources, [
    {
      id: 'tcpip',
      role: 'network',
      sensors: [stack(60_000), link],
      steps: [{ ...stepDefaults, name: 'script', argv: [join(folder, 'script')] }],
      rebootWhenFailed: true,
      ...careful,
    },
  ]);
  assert.equal(
    seedConfig('./script', { ...source, args: ['--allow-reboot=true'] }).policy.reboot.allowed,
    true,
  );
  const told = seedConfig('./script', { ...source, env: { SOCKMON_MQTT_URL: 'mqtt://broker.lan' } });
  assert.equal(told.mqtt?.url, 'mqtt://broker.lan');
  write('plain', '');
  for (const script of ['./nowhere', './plain', '.', ''])
    assert.throws(
      () => seedConfig(script, source),
      error => error instanceof SockmonError && error.code === 'SCRIPT',
      script,
    );
});

test('the state folder is found without the rest being right', context => {
  const { folder, write } = workshop(context);
  write('a.yaml', 'state_dir: ./here\nresources: {a: {watch: stack, restart: ./nowhere}}\n');
  const files = [join(folder, 'a.yaml')];
  const find = (source: { files?: string[]; env?: Record<string, string>; args?: string[] }): string =>
    stateDirOf({ files: [], env: {}, cwd: '/base', ...source });
  assert.equal(find({ files }), join(folder, 'here'));
  assert.equal(find({ files, env: { SOCKMON_STATE_DIR: 'there' } }), '/base/there');
  assert.equal(find({ files, args: ['--state-dir=/else'] }), '/else');
  assert.equal(find({ env: { STATE_DIRECTORY: '/run/s' } }), '/run/s');
});

test('a host name becomes a safe node', () => {
  assert.equal(safeNode('gateway.home.arpa'), 'gateway');
  assert.equal(safeNode('mein rüter'), 'mein_r_ter');
  assert.equal(safeNode(''), 'gateway');
  assert.equal(safeNode('x'.repeat(100)).length, 64);
});
