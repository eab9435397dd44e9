/** Lines for a reader that takes some bytes, none, or has gone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineSink } from '../../src/system/line-sink.js';
import { until } from '../lab/wait.js';

/** Takes as much as it has room for, like a pipe. */
function sinkInto(room: number) {
  const pipe = { room, text: '', gone: false };
  const sink: LineSink = new LineSink({
    write: bytes => {
      if (pipe.gone) return -1;
      const taken = Math.min(bytes.length, pipe.room);
      pipe.room -= taken;
      pipe.text += bytes.subarray(0, taken).toString();
      return taken;
    },
    onLost: lines => sink.write(`${lines} lost\n`),
  });
  return { pipe, sink };
}

test('what is taken at once goes through', () => {
  const { pipe, sink } = sinkInto(1000);
  sink.write('one\n');
  sink.write('two\n');
  assert.equal(pipe.text, 'one\ntwo\n');
});

test('what is not taken waits, in order and to the byte, and goes on by itself', async () => {
  const { pipe, sink } = sinkInto(5);
  sink.write('one\n');
  sink.write('two\n');
  sink.write('three\n');
  assert.equal(pipe.text, 'one\nt');
  pipe.room = 1000;
  await until('the rest', () => pipe.text === 'one\ntwo\nthree\n');
});

test('beyond the limit lines are dropped and counted, and the next ones come after the word about them', () => {
  const { pipe, sink } = sinkInto(0);
  const long = `${'x'.repeat(999)}\n`;
  for (let i = 0; i < 100; i++) sink.write(long);
  pipe.room = 10_000;
  // There is room again in the backlog, but what follows must not hide that something is missing.
  sink.write('dropped too\n');
  pipe.room = 1_000_000;
  sink.write('after\n');
  const lines = pipe.text.trim().split('\n');
  assert.equal(lines.filter(line => line.startsWith('x')).length, 65);
  assert.deepEqual(lines.slice(65), ['36 lost', 'after']);
});

test('a line that is longer than the limit goes through where nothing waits', () => {
  const { pipe, sink } = sinkInto(1_000_000);
  const long = `${'x'.repeat(100_000)}\n`;
  sink.write(long);
  sink.write('after\n');
  assert.equal(pipe.text, `${long}after\n`);
});

test('who has gone stops nobody, and nothing is kept for him', () => {
  const { pipe, sink } = sinkInto(0);
  sink.write('one\n');
  pipe.gone = true;
  sink.write('two\n');
  pipe.gone = false;
  pipe.room = 1000;
  sink.write('three\n');
  assert.equal(pipe.text, 'three\n');
});

test('at the end it waits a moment for a slow reader, and not for one that hangs', () => {
  const slow = sinkInto(0);
  let calls = 0;
  const sink = new LineSink({ write: bytes => (++calls > 3 ? bytes.length : 0), onLost: () => {} });
  sink.write('last words\n');
  sink.end();
  assert.ok(calls > 3);
  slow.sink.write('never taken\n');
  slow.sink.end();
  assert.equal(slow.pipe.text, '');
});
