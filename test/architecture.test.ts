/** The rules of the house, each with its reason. Imports go one way; whoever needs another way changes the rule here and says why. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

function filesUnder(folder: string, ending: RegExp): string[] {
  return fs
    .readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .map(name => path.join(folder, name))
    .filter(name => ending.test(name) && !name.includes('/build/'))
    .sort();
}

const read = (file: string): string => fs.readFileSync(path.join(root, file), 'utf8');

/** Module specifiers of static and dynamic imports, relative ones resolved to paths from the root. */
function importsOf(file: string): { target: string; typeOnly: boolean }[] {
  const statement =
    /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'|import\(\s*'([^']+)'\s*\)/g;
  return [...read(file).matchAll(statement)].map(match => {
    const specifier = match[2] ?? match[3] ?? '';
    const target = specifier.startsWith('.')
      ? path.join(path.dirname(file), specifier).replace(/\.js$/, '.ts')
      : specifier;
    const names =
      /\{([^}]*)\}/
        .exec(match[0])?.[1]
        ?.split(',')
        .filter(name => name.trim() !== '') ?? [];
    const hasTypesOnly = names.length > 0 && names.every(name => /^\s*type\s/.test(name));
    return { target, typeOnly: match[1] !== undefined || hasTypesOnly };
  });
}

const sources = filesUnder('src', /\.c?ts$/);
const inFolder =
  (folder: string) =>
  (file: string): boolean =>
    file.startsWith(`${folder}/`);

interface Rule {
  readonly what: string;
  readonly reason: string;
  readonly files: (file: string) => boolean;
  readonly mayImport: (target: string, typeOnly: boolean) => boolean;
}

const adapters = [
  'src/monitor.ts',
  'src/journal.ts',
  'src/system.ts',
  'src/systemd.ts',
  'src/control.ts',
  'src/evidence.ts',
];

const rules: Rule[] = [
  {
    what: 'the core imports itself',
    reason: 'what decides about reboots must be testable without a machine: no I/O, no clock, no timer',
    files: inFolder('src/core'),
    mayImport: target => target.startsWith('src/core/'),
  },
  {
    what: 'the supervisor talks to ports',
    reason: 'whoever reads the loop must not need to know an adapter',
    files: file => file === 'src/supervisor.ts' || file === 'src/ledger.ts',
    mayImport: target => target.startsWith('src/core/') || target === 'src/ledger.ts',
  },
  {
    what: 'no adapter imports another',
    reason: 'each can be replaced, and read, alone',
    files: file => adapters.includes(file),
    mayImport: target =>
      !adapters.includes(target) && !target.startsWith('src/mqtt/') && !target.startsWith('src/cli/'),
  },
  {
    what: 'MQTT knows the core and Home Assistant, no other adapter',
    reason:
      'telling is a replay of the journal through the Telling port, with no side door to what is watched',
    files: inFolder('src/mqtt'),
    mayImport: target =>
      !target.startsWith('src/') ||
      ['src/core/', 'src/mqtt/', 'src/homeassistant/'].some(folder => target.startsWith(folder)) ||
      target === 'src/version.ts',
  },
  {
    what: 'the entity table is pure',
    reason: 'discovery, documentation and tests share it',
    files: inFolder('src/homeassistant'),
    mayImport: target =>
      target.startsWith('src/core/') ||
      target.startsWith('src/homeassistant/') ||
      target === 'src/mqtt/topics.ts' ||
      target === 'src/mqtt/messages.ts',
  },
  {
    what: 'a sensor knows the core, and types of what is around it',
    reason: 'a kind of sensor is one module, and the daemon that loads it must not load the schemas',
    files: inFolder('src/sensors'),
    mayImport: (target, typeOnly) =>
      target.startsWith('src/core/') ||
      target.startsWith('src/sensors/') ||
      // Names of signals, and what an address looks like.
      ['node:os', 'node:net'].includes(target) ||
      typeOnly,
  },
  {
    what: 'only monitor.ts with monitor-inputs.ts, addon.ts, early.ts and the sensors know the native shape',
    reason: 'one place translates between the thread and the core, kind by kind',
    files: file =>
      !['src/monitor.ts', 'src/monitor-inputs.ts', 'src/addon.ts', 'src/early.ts'].includes(file) &&
      !file.startsWith('src/sensors/'),
    mayImport: target => !target.startsWith('native/'),
  },
];

describe('imports', () => {
  for (const rule of rules) {
    it(`${rule.what}: ${rule.reason}`, () => {
      const files = sources.filter(rule.files);
      assert.ok(files.length > 0, 'the rule is about nothing');
      const offences = files.flatMap(file =>
        importsOf(file)
          .filter(({ target, typeOnly }) => !rule.mayImport(target, typeOnly))
          .map(({ target }) => `${file} imports ${target}`),
      );
      assert.deepEqual(offences, []);
    });
  }

  it('nothing but main.ts ends the process: everybody else returns a status, so that things get closed', () => {
    const offenders = sources.filter(file => file !== 'src/quit.ts' && /process\.exit\(/.test(read(file)));
    assert.deepEqual(offenders, []);
    const callers = sources.filter(file => importsOf(file).some(({ target }) => target === 'src/quit.ts'));
    assert.deepEqual(callers, ['src/main.ts']);
  });

  it('the core reads no clock and sets no timer: time comes in as an argument', () => {
    const offenders = sources
      .filter(inFolder('src/core'))
      .filter(file => /Date\.now|new Date\(\)|setTimeout|setInterval|process\./.test(read(file)));
    assert.deepEqual(offenders, []);
  });
});

describe('the native part', () => {
  const boundary = ['native/addon.cc', 'native/bridge.cc', 'native/convert.cc', 'native/convert_event.cc'];

  it('knows JavaScript at its boundary only: the core is tested without Node, under sanitizers', () => {
    const offenders = filesUnder('native', /\.(cc|h)$/).filter(file =>
      /#include\s+[<"](napi|node_api|uv)\b/.test(read(file)),
    );
    for (const file of offenders)
      assert.ok(boundary.includes(file) || /native\/(bridge|convert)\.h$/.test(file), file);
  });

  /** Each room and those that it may know besides itself. */
  const rooms: Readonly<Record<string, readonly string[]>> = {
    base: [],
    process: ['base'],
    runs: ['process', 'base'],
    network: ['base'],
    prober: ['base'],
    system: ['base'],
    core: ['runs', 'process', 'network', 'base'],
    sensors: ['core', 'runs', 'process', 'network', 'prober', 'base'],
  };

  it('has rooms that know only those below them: what sees a death can be read without what restarts', () => {
    const offences = Object.entries(rooms).flatMap(([room, below]) =>
      filesUnder(`native/${room}`, /\.(cc|h)$/).flatMap(file =>
        [...read(file).matchAll(/#include "([^"/]+)\//g)]
          .map(([, target = '']) => target)
          .filter(target => target !== room && !below.includes(target))
          .map(target => `${file} includes ${target}`),
      ),
    );
    assert.deepEqual(offences, []);
  });

  it('keeps system calls that tests make fail behind one seam', () => {
    const direct = /(?<![\w.>:])(epoll_wait|pidfd_open|posix_spawn)\((?!\d\))/; // not the man pages, pidfd_open(2)
    const offenders = filesUnder('native', /\.cc$/).filter(
      file => !file.endsWith('/sys.cc') && direct.test(read(file)),
    );
    assert.deepEqual(offenders, []);
  });
});

describe('the sources', () => {
  it('import each other in no circle, but for types: each file can be read before those that use it', () => {
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      if (path.includes(file) || done.has(file)) return;
      for (const { target, typeOnly } of importsOf(file))
        if (!typeOnly && sources.includes(target)) visit(target, [...path, file]);
      done.add(file);
    };
    for (const file of sources) visit(file, []);
    assert.deepEqual(circles, []);
  });
});

describe('errors', () => {
  it('are swallowed only with the reason inside: `check` lost a hint for long by a catch that hid more than was meant', () => {
    const files = [...sources, ...filesUnder('scripts', /\.mjs$/), ...filesUnder('test/lab', /\.ts$/)];
    const offences = files.flatMap(file =>
      [...read(file).matchAll(/catch\s*\{(\s*\/\/)?/g)]
        .filter(([, reason]) => reason === undefined)
        .map(({ index }) => `${file}:${read(file).slice(0, index).split('\n').length}`),
    );
    assert.deepEqual(offences, []);
  });
});

describe('the repository', () => {
  it('has no file so long that nobody reads it', () => {
    const long = [...sources, ...filesUnder('native', /\.(cc|h)$/)].filter(
      file => read(file).split('\n').length > 340,
    );
    assert.deepEqual(long, []);
  });

  it('names a reason in ARCHITECTURE.md for every package it needs at run time', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
    const text = read('ARCHITECTURE.md');
    for (const name of Object.keys(dependencies)) assert.ok(text.includes(`\`${name}\``), name);
  });
});
