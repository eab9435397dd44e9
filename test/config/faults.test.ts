import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigError, formatFault } from '../../src/config/load.js';
import { sensorKinds } from '../../src/sensors/kinds.js';
import { least, workshop } from './workshop.js';

const url = 'a URL such as mqtt://192.168.1.10:1883 or mqtts://broker.lan:8883';
const durationWords = (range: string): string => `a duration such as 250ms, 30s, 5m or 1h30m, from ${range}`;
const kinds = sensorKinds.map(({ kind }) => kind).join(', ');
const unknown = (message: string): string => `unknown key${message}`;

/** Title, text, and the faults without the file's name in front. */
const table: readonly (readonly [string, string, readonly string[]])[] = [
  [
    'an empty file',
    '',
    ['1:1: resources: is missing; expected a mapping from the name of a resource to what is watched'],
  ],
  ['a list', '- a\n', ['1:1: is not a mapping; expected lines such as "node: gateway"']],
  ['plain text', 'hello\n', ['1:1: is not a mapping; expected lines such as "node: gateway"']],
  [
    'no resource',
    'resources: {}\n',
    ['1:12: resources: is empty; expected at least one resource, for example tcpip: {watch: tcpip}'],
  ],
  [
    'an empty section',
    `${least}mqtt:\n`,
    ['3:1: mqtt: is empty; give it a value, or remove the line for its default'],
  ],
  [
    'an empty value in a list',
    'resources: {tcpip: {watch: [stack, ~]}}\n',
    ['1:36: resources.tcpip.watch[1]: is empty; give it a value, or remove the line for its default'],
  ],
  [
    'a near key',
    `${least}mqtt: {url: "mqtt://h", keepalvie: 15s}\n`,
    [`3:25: mqtt.keepalvie: ${unknown(', did you mean "keepalive"?')}`],
  ],
  [
    'a far key',
    `${least}zebra: 1\n`,
    [`3:1: zebra: ${unknown('; expected node, state_dir, log, resources, reboot, mqtt, commands')}`],
  ],
  [
    'a hyphen for an underscore',
    `${least}state-dir: /x\n`,
    [`3:1: state-dir: ${unknown(', did you mean "state_dir"?')}`],
  ],
  [
    'a password in the file',
    `${least}mqtt:\n  url: mqtt://h\n  password: hunter2\n`,
    [`5:3: mqtt.password: ${unknown(', a password stands in a file of its own: use password_file')}`],
  ],
  [
    'host and port apart',
    `${least}mqtt:\n  host: h\n`,
    [
      `4:3: mqtt.host: ${unknown(', use url: mqtt://HOST:PORT')}`,
      '4:3: mqtt: names no broker; expected url: mqtt://… or embedded: true',
    ],
  ],
  [
    'a key within embedded',
    `${least}mqtt: {embedded: {prot: 1}}\n`,
    [`3:19: mqtt.embedded.prot: ${unknown(', did you mean "port"?')}`],
  ],
  [
    'a key twice',
    'node: a\nnode: b\nresources: {a: {watch: stack}}\n',
    ['2:1: node: stands here a second time; remove one of the two'],
  ],
  [
    'a resource twice',
    'resources:\n  a: {watch: stack}\n  a: {watch: stack}\n',
    ['3:3: resources.a: stands here a second time; remove one of the two'],
  ],
  [
    'an anchor and its alias',
    'node: &n gateway\nresources: {a: {watch: stack}}\nlog: {level: *n}\n',
    [
      '1:10: node: has an anchor (&); write the value out where it is used',
      '3:14: log.level: is an alias (*); write the value out',
    ],
  ],
  [
    'a merge key',
    `${least}log: {<<: {level: info}}\n`,
    [`3:7: log.<<: ${unknown('; expected level, format')}`],
  ],
  ['a tag', `${least}node: !secret x\n`, ['3:15: node: has a tag (!); remove it']],
  [
    'a reserved name',
    'resources:\n  __proto__: {watch: stack}\n  a: {watch: stack}\n',
    ['2:3: resources.__proto__: cannot be used as a name; choose another'],
  ],
  [
    'a bad name of a resource',
    'resources:\n  "my net": {watch: stack}\n',
    [
      '2:3: resources.my net: cannot be the name of a resource; expected letters, digits, "_" and "-", at most 64',
    ],
  ],
  [
    'a resource that is text',
    'resources:\n  tcpip: yes\n',
    ['2:10: resources.tcpip: is text; expected a mapping (key: value)'],
  ],
  [
    'a bare number',
    'resources: {a: {watch: stack, restart: {script: ./script, every: 30}}}\n',
    ['1:66: resources.a.restart.every: 30 has no unit; write 30s for seconds or 30m for minutes'],
  ],
  [
    'no duration',
    'resources: {a: {watch: stack, restart: {script: ./script, every: soon}}}\n',
    [`1:66: resources.a.restart.every: "soon" is not a duration; expected ${durationWords('1s to 1d')}`],
  ],
  [
    'a duration of nothing',
    'resources: {a: {watch: stack, restart: {script: ./script, timeout: 0s}}}\n',
    [`1:68: resources.a.restart.timeout: "0s" (0s) is out of range; expected ${durationWords('1s to 1d')}`],
  ],
  [
    'no attempts',
    'resources: {a: {watch: stack, restart: {script: ./script, attempts: 0}}}\n',
    ['1:69: resources.a.restart.attempts: is 0; expected a whole number from 1 to 100'],
  ],
  [
    'half an attempt',
    'resources: {a: {watch: stack, restart: {script: ./script, attempts: 1.5}}}\n',
    ['1:69: resources.a.restart.attempts: is 1.5; expected a whole number from 1 to 100'],
  ],
  [
    'attempts in words',
    'resources: {a: {watch: stack, restart: {script: ./script, attempts: six}}}\n',
    ['1:69: resources.a.restart.attempts: is text; expected a whole number from 1 to 100'],
  ],
  [
    'restart as a number',
    'resources: {a: {watch: stack, restart: 5}}\n',
    [
      '1:40: resources.a.restart: is a number; expected the path of a script, or a mapping with script or unit, attempts, every, or a list of them',
    ],
  ],
  [
    'restart without script',
    'resources:\n  a:\n    watch: stack\n    restart: {attempts: 3}\n',
    [
      '4:5: resources.a.restart.script: is missing; expected the path of a script, or unit: and the name of a service in its place',
    ],
  ],
  [
    'arguments in one text',
    'resources: {a: {watch: stack, restart: {script: ./script, args: wan}}}\n',
    ['1:65: resources.a.restart.args: is text; expected a list such as [wan, "2"]'],
  ],
  [
    'reboot without restart',
    'resources: {a: {watch: stack, reboot: true}}\n',
    ['1:39: resources.a.reboot: has nothing to come after; expected a restart script beside it'],
  ],
  [
    'a ladder without steps',
    'resources: {a: {watch: stack, restart: []}}\n',
    ['1:40: resources.a.restart: is an empty list; expected at least one step, or no restart at all'],
  ],
  [
    'a fault in one step of several',
    'resources:\n  a:\n    watch: stack\n    restart:\n      - ./script\n      - {script: ./nowhere, nmae: x, attempts: 0}\n      - 5\n',
    [
      '6:18: resources.a.restart[1].script: FOLDER/nowhere cannot be used: it does not exist; expected an executable script',
      `6:29: resources.a.restart[1].nmae: ${unknown(', did you mean "name"?')}`,
      '6:48: resources.a.restart[1].attempts: is 0; expected a whole number from 1 to 100',
      '7:9: resources.a.restart[2]: is a number; expected the path of a script, or a mapping with script or unit, attempts, every',
    ],
  ],
  [
    'two steps of one name',
    'resources: {a: {watch: stack, restart: [./script, {script: script, args: [b]}, {script: ./script, name: script}]}}\n',
    [
      '1:60: resources.a.restart[1].script: is called "script" like a step before it; give it a name of its own',
      '1:105: resources.a.restart[2].name: is called "script" like a step before it; give it a name of its own',
    ],
  ],
  [
    'a step with a bad name',
    'resources: {a: {watch: stack, restart: {script: ./script, name: "a b"}}}\n',
    ['1:65: resources.a.restart.name: is not allowed; expected letters, digits, "_" and "-", at most 64'],
  ],
  [
    'waits that shrink',
    'resources: {a: {watch: stack, restart: {script: ./script, backoff: 0.5}}}\n',
    ['1:68: resources.a.restart.backoff: is 0.5; expected a number from 1 to 10'],
  ],
  [
    'needs of nobody, of itself, of a number',
    'resources:\n  tcpip: {watch: tcpip}\n  dns: {watch: stack, needs: [tcipp, dns, 5, "a b"]}\n',
    [
      '3:31: resources.dns.needs[0]: names no resource of this configuration, did you mean "tcpip"?',
      '3:38: resources.dns.needs[1]: names the resource itself; remove it',
      '3:43: resources.dns.needs[2]: is a number; expected the name of a resource',
      '3:46: resources.dns.needs[3]: is not allowed; expected the name of a resource',
      '3:46: resources.dns.needs[3]: names no resource of this configuration; there are: tcpip, dns',
    ],
  ],
  [
    'needs in a circle',
    'resources:\n  a: {watch: stack, needs: b}\n  b: {watch: stack, needs: [c]}\n  c: {watch: stack, needs: [a]}\n  d: {watch: stack, needs: [a, b]}\n',
    ['4:29: resources.c.needs[0]: closes a circle: a needs b needs c needs a; remove one of these needs'],
  ],
  [
    'a fall that is too long',
    'resources: {a: {watch: stack, fall: 1h}}\n',
    [`1:37: resources.a.fall: "1h" (1h) is out of range; expected ${durationWords('0s to 10m')}`],
  ],
  [
    'a budget of nothing',
    'resources: {a: {watch: stack, restart_budget: {max: 0}}}\n',
    ['1:53: resources.a.restart_budget.max: is 0; expected a whole number from 1 to 1000'],
  ],
  [
    'one hold-off that is no list',
    `${least}reboot: {hold_off: 10m}\n`,
    ['3:20: reboot.hold_off: is text; expected a list of durations such as [10m, 1h, 6h]'],
  ],
  [
    'a hold-off without unit',
    `${least}reboot: {hold_off: [10m, 60]}\n`,
    ['3:26: reboot.hold_off[1]: 60 has no unit; write 60s for seconds or 60m for minutes'],
  ],
  [
    'no force',
    `${least}reboot: {force_command: []}\n`,
    ['3:25: reboot.force_command: is an empty list; expected a command such as [systemctl, reboot, --force]'],
  ],
  [
    'no watch',
    'resources:\n  a: {restart: ./script}\n',
    [`2:3: resources.a.watch: is missing; expected tcpip, or a list of sensors (${kinds})`],
  ],
  [
    'watch an empty list',
    'resources: {a: {watch: []}}\n',
    [`1:24: resources.a.watch: is an empty list; expected tcpip, or at least one of ${kinds}`],
  ],
  [
    'an unknown sensor',
    'resources: {a: {watch: stck}}\n',
    [`1:24: resources.a.watch[0].stck: ${unknown(', did you mean "stack"?')}`],
  ],
  [
    'two sensors in one',
    'resources: {a: {watch: [{stack: {}, link: default}]}}\n',
    ['1:25: resources.a.watch[0]: names more than one sensor; begin each with its own "- "'],
  ],
  [
    'a process without a clue',
    'resources: {a: {watch: {process: {}}}}\n',
    [
      '1:34: resources.a.watch[0].process: says nothing to find the process by; expected pidfile, name, listen or command',
    ],
  ],
  [
    'a path for a name',
    'resources: {a: {watch: {process: {name: /sbin/pppd}}}}\n',
    [
      '1:41: resources.a.watch[0].process.name: is not allowed; expected the name of a program, without a path',
    ],
  ],
  [
    'listen without protocol',
    'resources: {a: {watch: {process: {listen: "53"}}}}\n',
    [
      '1:43: resources.a.watch[0].process.listen: is not allowed; expected tcp:53, tcp:127.0.0.1:53, tcp:[::1]:53, udp:53 or unix:/run/x.sock',
    ],
  ],
  [
    'a host name to connect to',
    'resources: {a: {watch: {connection: "tcp:router.lan:53"}}}\n',
    [
      '1:37: resources.a.watch[0].connection.to: is not allowed; expected an address such as tcp:192.168.1.1:53, tcp:[::1]:80, tcp:localhost:80, unix:/run/x.sock or unix:@name; host names are not looked up, write the address',
    ],
  ],
  [
    'a silence on one machine',
    'resources: {a: {watch: {connection: {to: "unix:/run/x.sock", silent_after: 30s}}}}\n',
    [
      '1:76: resources.a.watch[0].connection.silent_after: is for tcp: only; on one machine nothing lies between that could be silent',
    ],
  ],
  [
    'a backslash before nothing known',
    'resources: {a: {watch: {connection: {to: "tcp:[::1]:80", expect: \'a\\q\'}}}}\n',
    [
      '1:66: resources.a.watch[0].connection.expect: is not allowed; expected text of at most 256 characters, where a backslash begins \\r, \\n, \\t, \\\\ or \\xHH (a byte in hexadecimal)',
    ],
  ],
  [
    'a long interface',
    'resources: {a: {watch: {link: wlan0123456789abc}}}\n',
    [
      '1:31: resources.a.watch[0].link.interface: is not allowed; expected the name of an interface (at most 15 characters)',
    ],
  ],
  [
    'carrier maybe',
    'resources: {a: {watch: {link: {carrier: maybe}}}}\n',
    ['1:41: resources.a.watch[0].uplink.carrier: "maybe" is not known; expected one of dead, tell'],
  ],
  [
    'an uplink towards a name',
    'resources: {a: {watch: {uplink: {towards: example.org}}}}\n',
    [
      '1:43: resources.a.watch[0].uplink.towards: is not allowed; expected an address, or a list of one of each family, such as 9.9.9.9 or [9.9.9.9, "2620:fe::fe"]',
    ],
  ],
  [
    'an uplink towards two addresses of one family',
    'resources: {a: {watch: {uplink: {towards: [192.0.2.1, 192.0.2.2]}}}}\n',
    [
      '1:43: resources.a.watch[0].uplink.towards: is not allowed; expected an address, or a list of one of each family, such as 9.9.9.9 or [9.9.9.9, "2620:fe::fe"]',
    ],
  ],
  [
    'an uplink by a table and by a mark',
    'resources: {a: {watch: {uplink: {table: 201, mark: 16}}}}\n',
    [
      '1:41: resources.a.watch[0].uplink.table: stands beside mark or vrf, which lead to tables of their own; expected one of them',
    ],
  ],
  [
    'an uplink towards this machine itself',
    'resources: {a: {watch: {uplink: {towards: 127.0.0.1}}}}\n',
    [
      '1:43: resources.a.watch[0].uplink.towards: is not allowed; expected an address, or a list of one of each family, such as 9.9.9.9 or [9.9.9.9, "2620:fe::fe"]',
    ],
  ],
  ...['"6"', 'all'].map(
    families =>
      [
        `an uplink by families ${families} towards an address of IPv4`,
        `resources: {a: {watch: {uplink: {towards: 9.9.9.9, families: ${families}}}}}\n`,
        [
          '1:43: resources.a.watch[0].uplink.towards: has no address of a family that families asks for; add one, as in [9.9.9.9, "2620:fe::fe"], or change families',
        ],
      ] as const,
  ),
  [
    'tcpip misspelt',
    'resources: {a: {watch: tcip}}\n',
    ['1:24: resources.a.watch[0].tcip: unknown key, did you mean "tcpip"?'],
  ],
  [
    'tcpip with settings',
    'resources: {a: {watch: {tcpip: {every: 5s}}}}\n',
    [
      '1:25: resources.a.watch[0].tcpip: takes no settings, it is short for [stack, uplink]; write these two, with theirs',
    ],
  ],
  [
    'a family that YAML reads as a number',
    'resources: {a: {watch: {uplink: {families: 4}}}}\n',
    ['1:44: resources.a.watch[0].uplink.families: 4 is a number here; write it in quotes: "4"'],
  ],
  [
    'a routing table of no number',
    'resources: {a: {watch: {uplink: {table: 0}}}}\n',
    [
      '1:41: resources.a.watch[0].uplink.table: is 0; expected the number of a routing table, from 1 to 4294967295, or its name',
    ],
  ],
  ...(['link: {name: eth0}', 'uplink: {name: eth0}'] as const).map(
    watch =>
      [
        `the interface of ${watch}`,
        `resources: {a: {watch: {${watch}}}}\n`,
        [
          `1:${watch.indexOf('name') + 25}: resources.a.watch[0].uplink.name: unknown key of an uplink; for an interface of a known name write link: {interface: NAME, …}`,
        ],
      ] as const,
  ),
  [
    'a script that is missing',
    'resources:\n  a:\n    watch: stack\n    restart: ./nowhere\n',
    [
      '4:14: resources.a.restart.script: FOLDER/nowhere cannot be used: it does not exist; expected an executable script',
    ],
  ],
  [
    'a script that is a folder',
    'resources: {a: {watch: stack, restart: .}}\n',
    ['1:40: resources.a.restart.script: FOLDER is not a file; expected an executable script'],
  ],
  [
    'neither url nor embedded',
    `${least}mqtt: {base: x}\n`,
    ['3:7: mqtt: names no broker; expected url: mqtt://… or embedded: true'],
  ],
  [
    'both url and embedded',
    `${least}mqtt: {url: "mqtt://h", embedded: true}\n`,
    ['3:35: mqtt.embedded: stands beside url; expected exactly one of the two'],
  ],
  [
    'embedded: false',
    `${least}mqtt: {embedded: false}\n`,
    ['3:18: mqtt.embedded: is not understood; expected true or {host: 127.0.0.1, port: 1883}'],
  ],
  [
    'embedded for everybody',
    `${least}mqtt: {embedded: {host: 0.0.0.0}}\n`,
    [
      '3:25: mqtt.embedded.host: is not allowed; expected 127.0.0.1, ::1 or localhost: the built-in broker asks nobody for a password, so it stays on loopback',
    ],
  ],
  [
    'two passwords',
    `${least}mqtt: {url: "mqtt://h", username: u, password_file: pw, password_credential: pw}\n`,
    [
      '3:53: mqtt.password_file: FOLDER/pw cannot be read: it does not exist; expected a file that holds the password',
      '3:78: mqtt.password_credential: stands beside password_file; expected exactly one of the two',
    ],
  ],
  [
    'a certificate without key',
    `${least}mqtt: {url: "mqtts://h", tls: {cert_file: script}}\n`,
    [
      '3:26: mqtt.tls.key_file: is missing; cert_file needs its private key',
      '3:43: mqtt.tls.cert_file: FOLDER/script holds no PEM block (-----BEGIN …)',
    ],
  ],
  [
    'tls without TLS',
    `${least}mqtt: {url: "mqtt://h", tls: {servername: h}}\n`,
    ['3:30: mqtt.tls: needs a url with TLS; write mqtts:// (usually port 8883) or wss://'],
  ],
  [
    'a password in the url',
    `${least}mqtt: {url: "mqtt://u:hunter2@h"}\n`,
    ['3:13: mqtt.url: holds a user or a password; put them in mqtt.username and mqtt.password_file'],
  ],
  ['no url', `${least}mqtt: {url: broker.lan}\n`, [`3:13: mqtt.url: is not a URL; expected ${url}`]],
  [
    'http',
    `${least}mqtt: {url: "http://h"}\n`,
    [
      '3:13: mqtt.url: has a protocol that is not known; expected mqtt://, mqtts://, ws://, wss:// or mqtt+unix://',
    ],
  ],
  [
    'a keepalive for ever',
    `${least}mqtt: {url: "mqtt://h", keepalive: 20h}\n`,
    [`3:36: mqtt.keepalive: "20h" (20h) is out of range; expected ${durationWords('1s to 18h')}`],
  ],
  [
    'escape sequences of a terminal',
    `${least}"\\e[2J\\u009bx": 1\n`,
    [`3:1: \\x1b[2J\\x9bx: ${unknown('; expected node, state_dir, log, resources, reboot, mqtt, commands')}`],
  ],
  [
    'a bare fraction',
    'resources: {a: {watch: {stack: {every: 0.5}}}}\n',
    [`1:40: resources.a.watch[0].stack.every: is a number; expected ${durationWords('1s to 1h')}`],
  ],
  [
    'a fraction of a second',
    `${least}mqtt: {url: "mqtt://h", keepalive: 1500ms}\n`,
    ['3:36: mqtt.keepalive: has a fraction of a second; MQTT counts whole seconds'],
  ],
  [
    'a number as an argument',
    'resources: {a: {watch: stack, restart: {script: ./script, args: [a, 1]}}}\n',
    ['1:69: resources.a.restart.args[1]: is a number; expected text; put a number in quotes'],
  ],
  ...(['a/#', 'a.b', 'a b', 'a/', '/a', 'a*', 'a/b/c/d/e/f'] as const).map(
    base =>
      [
        `${base} as the base of the topics`,
        `${least}mqtt: {url: "mqtt://h", base: "${base}"}\n`,
        [
          '3:31: mqtt.base: is not allowed; expected one to 5 topic levels of letters, digits, "_" and "-", separated by "/"',
        ],
      ] as const,
  ),
  [
    'a discovery prefix that leaves too few levels',
    `${least}mqtt: {url: "mqtt://h", discovery_prefix: a/b/c/d/e}\n`,
    [
      '3:43: mqtt.discovery_prefix: is not allowed; expected one to 4 topic levels of letters, digits, "_" and "-", separated by "/"',
    ],
  ],
  [
    'a command in one text',
    `${least}reboot: {command: systemctl reboot}\n`,
    ['3:19: reboot.command: is text; expected a list such as [systemctl, reboot]'],
  ],
  [
    'yes for true',
    `${least}reboot: {allowed: yes}\n`,
    ['3:19: reboot.allowed: is text; expected true or false'],
  ],
  ['a tab', 'resources:\n\ttcpip: {watch: tcpip}\n', ['2:1: a tab is used as indentation; use spaces']],
];

for (const [title, text, expected] of table)
  test(`told with its place: ${title}`, context => {
    const { write, faults, folder } = workshop(context);
    write('bad.yaml', text);
    const lines = faults(['bad.yaml']).map(fault => formatFault(fault).replaceAll(folder, 'FOLDER'));
    assert.deepEqual(
      lines,
      expected.map(line => `bad.yaml:${line}`),
    );
  });

test('broken YAML is told with its line, without quoting it', context => {
  const broken = [
    'a: [1, 2\n',
    'a: "hunter2\n',
    'a: b: hunter2\n',
    '? [hunter2\n',
    'a: %hunter2\n',
    'a: 1\n b: hunter2\n',
    '--- 1\n--- hunter2\n',
    'a: @hunter2\n',
  ];
  const { write, faults } = workshop(context);
  for (const text of broken) {
    write('bad.yaml', text);
    const found = faults(['bad.yaml']);
    assert.ok(found.length > 0, text);
    for (const fault of found) {
      assert.ok(fault.line !== null && fault.column !== null, text);
      assert.doesNotMatch(formatFault(fault), /hunter2|\n/);
    }
  }
});

test('faults of all files, of the environment and of the options come at once', context => {
  const { write, faults } = workshop(context);
  write('a.yaml', `${least}nide: x\n`);
  write('b.yaml', 'resources:\n  dns: {watch: {process: {}}}\n');
  const found = faults(['a.yaml', 'b.yaml'], {
    env: { SOCKMON_LOG_LEVL: 'info', SOCKMON_NODE: 'a b' },
    args: ['--log-level=loud'],
  }).map(formatFault);
  assert.deepEqual(found.toSorted(), [
    'a.yaml:3:1: nide: unknown key, did you mean "node"?',
    'arguments: --log-level: "loud" is not known; expected one of debug, info, warn, error',
    'b.yaml:2:26: resources.dns.watch[0].process: says nothing to find the process by; expected pidfile, name, listen or command',
    'environment: SOCKMON_LOG_LEVL: is no setting, did you mean "SOCKMON_LOG_LEVEL"?',
    'environment: SOCKMON_NODE: is not allowed; expected letters, digits, "_" and "-", at most 64',
  ]);
});

test('files that are no configuration', context => {
  const { write, faults, folder } = workshop(context);
  mkdirSync(join(folder, 'folder'));
  write('huge.yaml', `${least}# ${'x'.repeat(5 * 1024 * 1024)}\n`);
  write('binary.yaml', Uint8Array.of(0x61, 0xff, 0xfe, 0x00));
  write('deep.yaml', '['.repeat(200_000));
  const message = (name: string): string => faults([name]).map(formatFault).join('\n');
  assert.equal(
    message('nowhere.yaml'),
    'nowhere.yaml: cannot be read: it does not exist; expected a YAML file',
  );
  assert.equal(message('folder'), 'folder: is a folder; expected a YAML file');
  assert.equal(
    message('script/x'),
    'script/x: cannot be read: a part of its path is not a folder; expected a YAML file',
  );
  assert.equal(message('huge.yaml'), 'huge.yaml: is larger than 4 MiB; expected a configuration');
  assert.equal(message('binary.yaml'), 'binary.yaml: is not UTF-8 text; expected a YAML file');
  assert.match(message('deep.yaml'), /^deep\.yaml(:\d+:\d+)?: /);
});

test('the code of the error is that of its faults when they agree', context => {
  const { write, load } = workshop(context);
  write('plain', '', 0o644);
  write('script.yaml', 'resources: {a: {watch: stack, restart: ./plain}}\n');
  write('both.yaml', 'nide: x\nresources: {a: {watch: stack, restart: ./plain}}\n');
  const codeOf = (file: string): unknown => {
    try {
      return load([file]);
    } catch (error) {
      return error instanceof ConfigError ? [error.code, error.exitStatus] : error;
    }
  };
  assert.deepEqual(codeOf('script.yaml'), ['SCRIPT', 66]);
  assert.deepEqual(codeOf('both.yaml'), ['CONFIG', 78]);
  assert.deepEqual(codeOf('nowhere.yaml'), ['CONFIG_UNREADABLE', 66]);
});

test('scripts that the kernel would not execute, each with its reason', context => {
  const { write, faults, load, folder } = workshop(context);
  const wrong: readonly (readonly [string, string, RegExp])[] = [
    ['crlf', '#!/bin/sh\r\necho\r\n', /line ends of Windows.*"\/bin\/sh\\r".*sed -i/],
    ['crlf-alone', '#!/bin/sh\r', /line ends of Windows/],
    [
      'gone',
      '#!/usr/local/bin/no-such-shell -e\n',
      /interpreter \/usr\/local\/bin\/no-such-shell, which is not there/,
    ],
    ['none', 'echo hello\n', /has no first line/],
    ['empty', '', /has no first line/],
    ['nameless', '#!\necho\n', /names no interpreter/],
  ];
  for (const [name, text, words] of wrong) {
    write(name, text, 0o755);
    write('a.yaml', `resources: {a: {watch: stack, restart: ./${name}}}\n`);
    const [fault, ...others] = faults(['a.yaml']);
    assert.match(fault?.message ?? '', words);
    assert.deepEqual([fault?.code, others], ['SCRIPT', []]);
  }
  for (const [name, text] of [
    ['plain', '#!/bin/sh\n'],
    ['spaces', '#! /usr/bin/env -S sh -e\r-is-no-line-end\n'],
    ['without-line-end', '#!/bin/sh'],
    ['other-format', 'MZ\0\0'],
  ] as const) {
    write(name, text, 0o755);
    write('a.yaml', `resources: {a: {watch: stack, restart: ./${name}}}\n`);
    assert.equal(load(['a.yaml']).policy.resources[0]?.steps[0]?.argv[0], join(folder, name));
  }
});

test('names that Home Assistant cannot tell apart', context => {
  const { write, faults, load } = workshop(context);
  write(
    'a.yaml',
    'resources:\n  wan-1: {watch: stack}\n  Wan_1: {watch: stack}\n  wan_1: {watch: stack}\n  wan11: {watch: stack}\n',
  );
  const words =
    'cannot be told from wan-1 by Home Assistant, to which both are wan_1; give one of them another name';
  assert.deepEqual(
    faults(['a.yaml']).map(({ key, message }) => [key, message]),
    [
      ['resources.Wan_1', words],
      ['resources.wan_1', words],
    ],
  );
  write('a.yaml', 'resources: {wan-1: {watch: stack}, wan-2: {watch: stack}, wan_10: {watch: stack}}\n');
  assert.equal(load(['a.yaml']).policy.resources.length, 3);
});
