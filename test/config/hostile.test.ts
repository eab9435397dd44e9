import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatFault } from '../../src/config/load.js';
import { parseConfig } from '../../src/config/yaml-file.js';
import { least, workshop } from './workshop.js';

const keys = fc.constantFrom(
  ...['node', 'log', 'level', 'resources', 'tcpip', 'watch', 'restart', 'script', 'process', 'link', 'stack'],
  ...[
    'mqtt',
    'url',
    'embedded',
    'tls',
    'reboot',
    'budget',
    'per',
    'every',
    'state_dir',
    '__proto__',
    'toString',
    '',
  ],
);
const scalars = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    -1,
    1e308,
    '',
    '30s',
    'tcpip',
    'mqtt://h',
    './script',
    '\0',
    '\u2028',
  ),
  fc.string({ maxLength: 8 }),
);
const { tree } = fc.letrec<{ tree: unknown; node: unknown }>(tie => ({
  node: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    scalars,
    fc.array(tie('node'), { maxLength: 4 }),
    fc.dictionary(keys, tie('node'), { maxKeys: 5 }),
  ),
  tree: fc.dictionary(keys, tie('node'), { maxKeys: 6 }),
}));

test('any tree is accepted or refused with faults that are whole sentences', context => {
  const { write, load, faults } = workshop(context);
  fc.assert(
    fc.property(tree, value => {
      write('any.yaml', JSON.stringify(value));
      const accepted = (() => {
        try {
          return load(['any.yaml']) !== null;
        } catch {
          return false;
        }
      })();
      if (accepted) return;
      const found = faults(['any.yaml']);
      assert.ok(found.length > 0);
      for (const fault of found) {
        assert.ok(fault.message.length > 10, formatFault(fault));
        assert.doesNotMatch(fault.message, /Invalid|undefined|\[object/);
        assert.ok(fault.line !== null && fault.line >= 1 && (fault.column ?? 0) >= 1, formatFault(fault));
      }
    }),
    { numRuns: 1000 },
  );
  assert.equal(({} as Record<string, unknown>).level, undefined);
});

test('any text is parsed or refused, and never throws', () => {
  const pieces = fc.array(
    fc.constantFrom(
      ...[
        'a',
        ': ',
        '\n',
        '  ',
        '- ',
        '{',
        '}',
        '[',
        ']',
        '&a ',
        '*a',
        '!t ',
        '"',
        "'",
        '|',
        '>',
        '#',
        '%',
        '---',
        '\t',
        '?',
        '@',
      ],
    ),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(
      fc.oneof(
        pieces.map(parts => parts.join('')),
        fc.string(),
      ),
      text => {
        const { file, faults } = parseConfig(text, 'any.yaml', '/');
        assert.ok(file !== null || faults.length > 0);
      },
    ),
    { numRuns: 3000 },
  );
});

test('any value of a variable is accepted or refused with its name', context => {
  const { write, load, faults } = workshop(context);
  write('a.yaml', least);
  const names = fc.constantFrom(
    'SOCKMON_NODE',
    'SOCKMON_LOG_LEVEL',
    'SOCKMON_REBOOT_ALLOWED',
    'SOCKMON_REBOOT_BUDGET_MAX',
  );
  fc.assert(
    fc.property(
      names,
      fc.oneof(scalars.map(String), fc.constantFrom('1e3', '0x10', '007', 'TRUE', ' 5')),
      (name, value) => {
        const env = { [name]: value };
        try {
          load(['a.yaml'], { env });
        } catch {
          assert.deepEqual(
            faults(['a.yaml'], { env }).map(({ file, key }) => [file, key]),
            [['environment', name]],
          );
        }
      },
    ),
    { numRuns: 300 },
  );
});
