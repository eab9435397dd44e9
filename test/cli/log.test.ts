import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Config } from '../../src/core/policy.js';
import { createLog } from '../../src/daemon/log.js';

function logged(
  settings: Config['log'],
  color = false,
): { lines: string[]; log: ReturnType<typeof createLog> } {
  const lines: string[] = [];
  return { lines, log: createLog(settings, { write: line => lines.push(line), color }) };
}

test('text is one plain line for people', () => {
  const { lines, log } = logged({ level: 'info', format: 'text' });
  log.warn({ outage: '3f2a-7' }, 'tcpip died: killed by SIGSEGV');
  log.info({ resource: 'dns', err: new Error('it broke') }, 'restarted');
  log.debug({}, 'not shown');
  assert.equal(lines.length, 2);
  assert.match(lines[0] ?? '', /^\d\d:\d\d:\d\d warn {2}tcpip died: killed by SIGSEGV \(outage=3f2a-7\)\n$/);
  assert.match(lines[1] ?? '', /^\d\d:\d\d:\d\d info {2}dns: restarted \(err="it broke"\)\n$/);
});

test('text does not say twice what the sentence says, nor numbers for machines', () => {
  const { lines, log } = logged({ level: 'info', format: 'text' });
  log.info({ seq: 7, broker: 'mqtt://b:1883', delayMs: 20 }, 'Connected to mqtt://b:1883.');
  assert.match(lines[0] ?? '', /info {2}Connected to mqtt:\/\/b:1883\. \(delayMs=20\)\n$/);
});

test('json is a line of pino', () => {
  const { lines, log } = logged({ level: 'debug', format: 'json' });
  log.debug({ seq: 5 }, 'hello');
  const { time, ...rest } = JSON.parse(lines[0] ?? '');
  assert.deepEqual(rest, { level: 'debug', seq: 5, msg: 'hello' });
  assert.ok(Math.abs(Date.now() - time) < 3_600_000);
});

test('what a script said cannot move the cursor or look like a line of the log', () => {
  const { lines, log } = logged({ level: 'info', format: 'text' });
  const forged = '12:00:00 error forged';
  log.info({ output: `\x1b[2J"x"\r\n${forged}` }, `a\n${forged}\u009b31m\u2028c\0`);
  const text = lines.join('');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028]/);
  assert.doesNotMatch(text, /^12:00:00 error/m);
  assert.match(text, /^\d\d:\d\d:\d\d info {2}a\n {15}12:00:00 error forged\\x9b31m/);
});

test('for the journal of systemd it is the sentence with its priority, each line for itself', () => {
  const lines: string[] = [];
  const log = createLog(
    { level: 'info', format: 'text' },
    { write: line => lines.push(line), journal: true },
  );
  log.warn({ outage: '3f2a-7' }, 'tcpip died: killed by SIGSEGV');
  log.error({}, 'two faults:\n<0>first\nsecond');
  assert.deepEqual(lines, [
    '<4>tcpip died: killed by SIGSEGV (outage=3f2a-7)\n',
    '<3>two faults:\n<3>    <0>first\n<3>    second\n',
  ]);
});

test('passwords are censored, in text and in json', () => {
  for (const format of ['text', 'json'] as const) {
    const { lines, log } = logged({ level: 'info', format });
    log.info(
      { password: 'hunter2', mqtt: { password: 'hunter2' }, config: { mqtt: { password: 'hunter2' } } },
      'x',
    );
    assert.doesNotMatch(lines.join(''), /hunter2/);
    assert.equal(lines.join('').match(/\[secret\]/g)?.length, 3);
  }
});

test('colours only where they are wanted', () => {
  const colored = logged({ level: 'info', format: 'text' }, true);
  colored.log.error({}, 'x');
  assert.ok(colored.lines[0]?.endsWith('\x1b[31merror\x1b[0m x\n'));
});
