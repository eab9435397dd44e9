/** The kinds of sensors stand on both sides of the boundary: what one side says the other must know. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { sensorKinds } from '../../src/sensors/kinds.js';
import { loadAddon } from '../../src/system/addon.js';

it('both sides know the same kinds, with the same fields and the same nature of each reason', () => {
  const here = sensorKinds.map(({ kind, fieldNames, reasons }) => ({ kind, fields: fieldNames, reasons }));
  const sorted = (kinds: readonly { kind: string; fields: readonly string[]; reasons: object }[]) =>
    kinds
      .map(({ kind, fields, reasons }) => ({
        kind,
        fields: [...fields].sort(),
        reasons: Object.entries(reasons).sort(),
      }))
      .sort((a, b) => a.kind.localeCompare(b.kind));
  assert.deepEqual(sorted(here), sorted(loadAddon().kinds()));
});

it('each reason has words for the journal', () => {
  for (const { kind, reasons, cause } of sensorKinds) {
    for (const reason of Object.keys(reasons)) {
      const report = { type: 'sensor', resource: 'r', sensor: 0, state: 'down', atMs: 0 } as const;
      const known = { ...report, reason, interface: 'eth0', cause: { kind: 'exit', code: 0 } } as const;
      assert.notEqual(cause(known).kind, 'unknown', `${kind}: ${reason}`);
    }
  }
});
