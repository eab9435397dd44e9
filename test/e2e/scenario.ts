/** A lab per test, closed at its end whatever happens; what the broker must have been told after an outage. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lab } from '../lab/lab.js';
import type { EventPayload, Recorder } from '../lab/recorder.js';
import { becomeRoot, skipWithoutLab } from '../lab/root.js';
import type { Kill } from '../lab/stack.js';

await becomeRoot();
const skip = skipWithoutLab();

/** @param unless why this one cannot be played here, although the lab can be built. */
export function scenario(
  name: string,
  play: (lab: Lab) => Promise<void>,
  unless: string | false = false,
): void {
  test(name, { skip: skip || unless }, async context => {
    const lab = await Lab.open();
    try {
      await play(lab);
    } catch (error) {
      // Only the daemon knows why it did not do what was waited for.
      context.diagnostic(lab.story());
      throw error;
    } finally {
      await lab.close();
    }
  });
}

/** Reading a time back from the journal loses a millisecond, stepping the wall clock (NTP) some more. */
const clockToleranceMs = 1000;
/** Besides, the kernel first writes a core, and the monitor's thread waits for its turn. */
const noticeToleranceMs = 5000;

/** The two events of one outage, with true times and in order. */
export function assertTold(down: EventPayload, recovered: EventPayload, kill: Kill): void {
  assert.equal(down.outage, recovered.outage);
  assert.equal(down.resource, 'tcpip');
  assert.ok(down.seq < recovered.seq);
  const began = Date.parse(down.began_at ?? '');
  const ended = Date.parse(recovered.ended_at ?? '');
  assert.ok(
    Math.abs(began - kill.wallMs) < noticeToleranceMs,
    `began_at ${down.began_at}, killed at ${kill.wallMs}`,
  );
  assert.ok(ended > began, `ended_at ${recovered.ended_at} is not after began_at ${down.began_at}`);
  assert.ok(Math.abs(Date.parse(recovered.began_at ?? '') - began) < clockToleranceMs);
  assert.ok(Math.abs((recovered.duration_s ?? 0) * 1000 - (ended - began)) < clockToleranceMs);
}

/** What a subscriber that comes now is given: the retained messages by topic. */
export async function retainedMessages(
  lab: Lab,
  port: number,
  topics: readonly string[],
): Promise<Map<string, string>> {
  const late = await lab.record(port);
  for (const topic of topics)
    await late.until(`${topic} to be retained`, message => message.topic === topic && message.retain);
  return new Map(late.messages.filter(({ retain }) => retain).map(({ topic, payload }) => [topic, payload]));
}

/** Events of a type, by the outage that they are about: telling twice shows here. */
export function eventsOf(recorder: Recorder, type: string): EventPayload[] {
  return recorder.events().filter(event => event.event_type === type);
}
