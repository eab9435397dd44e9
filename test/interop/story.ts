/**
 * The same story with every broker, from start to end: the built daemon in the lab, its stack killed, commands, the broker restarted, two clients of
 * one id, sockmon killed, a forbidden topic, a wrong password. What a broker can and cannot do is asserted too, and is what docs/BROKERS.md says.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { repository } from '../lab/paths.js';
import { becomeRoot, skipWithoutLab } from '../lab/root.js';
import { type Kind, skipWithout } from './broker.js';
import { playRights } from './rights.js';
import { playRivals } from './rivals.js';
import { Stage } from './stage.js';
import { playTelling } from './telling.js';

/** Defines the tests with this broker. */
export async function play(kind: Kind): Promise<void> {
  await becomeRoot();
  const skip = skipWithoutLab() || skipWithout(kind);
  describe(kind.name, { skip }, () => {
    const stage = new Stage(kind);
    before(() => stage.open());
    after(() => stage.close());
    playTelling(stage);
    playRivals(stage);
    if (kind.forbidden !== null) playRights(stage);
    it('is in docs/BROKERS.md as it was seen here', t => {
      const row = rowOf(kind);
      t.diagnostic(row);
      const written = readFileSync(`${repository}docs/BROKERS.md`, 'utf8').split('\n');
      assert.ok(written.map(plain).includes(plain(row)), `the table lacks: ${row}`);
    });
  });
}

/** Versions come and go. */
function plain(row: string): string {
  return row.split('|').toSpliced(2, 1).join('|');
}

function rowOf(kind: Kind): string {
  const yes = (is: boolean) => (is ? 'yes' : 'no');
  const cells = [
    kind.name,
    kind.version(),
    kind.protocol,
    yes(kind.retainsForWildcards),
    yes(kind.retainsOverRestart),
    yes(kind.retainsWill),
    kind.protocol === '5' ? 'refused' : 'obeyed once',
    kind.dots,
    kind.forbidden ?? 'none can be',
    kind.takeOver,
  ];
  return `| ${cells.join(' | ')} |`;
}
