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

/** Each room and those that it may know besides itself, types too; what stands behind `types:` it may know by its types alone. */
const rooms: Readonly<Record<string, readonly string[]>> = {
  base: [],
  core: ['base'],
  report: ['core', 'base'],
  rehearsal: ['core', 'base'],
  evidence: ['core', 'base'],
  // The daemon loads the sensors and must not load the schemas.
  sensors: ['core', 'base', 'types:config', 'types:native'],
  // The native addon stands on one side of this room, the machine on the other.
  system: ['base', 'types:core', 'types:native'],
  monitor: ['sensors', 'system', 'core', 'base', 'types:native'],
  journal: ['system', 'core', 'base'],
  config: ['sensors', 'system', 'homeassistant', 'core', 'base'],
  homeassistant: ['report', 'core', 'base'],
  mqtt: ['homeassistant', 'report', 'core', 'base', 'system'],
  control: ['report', 'system', 'core', 'base'],
  daemon: ['monitor', 'journal', 'evidence', 'mqtt', 'control', 'report', 'system', 'core', 'base'],
  cli: [
    ...['config', 'journal', 'control', 'homeassistant', 'mqtt', 'rehearsal', 'report', 'sensors'],
    ...['system', 'core', 'base'],
  ],
  start: ['cli', 'daemon', 'monitor', 'sensors', 'system', 'core', 'base'],
};

const roomOf = (file: string): string =>
  file.startsWith('src/') ? (file.split('/')[1] ?? '') : (file.split('/')[0] ?? '');

/** The supervisor and its parts. */
const theLoop = ['supervisor', 'recorder', 'evidence-queue'].map(name => `src/daemon/${name}.ts`);

const rules: Rule[] = [
  {
    what: 'the core imports itself',
    reason: 'what decides about reboots must be testable without a machine: no I/O, no clock, no timer',
    files: inFolder('src/core'),
    mayImport: target => target.startsWith('src/core/') || target.startsWith('src/base/'),
  },
  {
    what: 'the supervisor talks to ports',
    reason: 'whoever reads the loop must not need to know an adapter',
    files: file => theLoop.includes(file),
    mayImport: target =>
      ['src/core/', 'src/base/', 'src/report/'].some(folder => target.startsWith(folder)) ||
      theLoop.includes(target),
  },
  {
    what: 'a sensor needs nothing but itself',
    reason: 'a kind of sensor is one module, and the daemon that loads it must not load the schemas',
    files: inFolder('src/sensors'),
    mayImport: (target, typeOnly) =>
      target.startsWith('src/') || typeOnly || ['node:os', 'node:net'].includes(target),
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

  it('of a room lead to those that it may know: each can be read, and replaced, without those above it', () => {
    const offences = sources
      .filter(file => file !== 'src/arm.cts')
      .flatMap(file => {
        const allowed = rooms[roomOf(file)];
        assert.ok(allowed !== undefined, `${file} stands in no room`);
        return importsOf(file)
          .filter(({ target }) => /^(src|native)\//.test(target) && roomOf(target) !== roomOf(file))
          .filter(
            ({ target, typeOnly }) =>
              !allowed.includes(roomOf(target)) && !(typeOnly && allowed.includes(`types:${roomOf(target)}`)),
          )
          .map(({ target }) => `${file} imports ${target}`);
      });
    assert.deepEqual(offences, []);
  });

  it('nothing but main.ts ends the process: everybody else returns a status, so that things get closed', () => {
    const offenders = sources.filter(
      file => file !== 'src/system/quit.ts' && /process\.exit\(/.test(read(file)),
    );
    assert.deepEqual(offenders, []);
    const callers = sources.filter(file =>
      importsOf(file).some(({ target }) => target === 'src/system/quit.ts'),
    );
    assert.deepEqual(callers, ['src/start/main.ts']);
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
  const nativeRooms: Readonly<Record<string, readonly string[]>> = {
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
    const offences = Object.entries(nativeRooms).flatMap(([room, below]) =>
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
