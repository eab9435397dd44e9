/** From the first start to a restart of the broker: what is told, what is kept, what a command comes to. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { assertTold } from '../e2e/scenario.js';
import { command, type Result, type Stage, topicsOf } from './stage.js';

const node = 'lab';
const { status, state, lastOutage, events, run, result: resultTopic } = topicsOf(node);
const stored = 'interop-stored-1';

export function playTelling(stage: Stage): void {
  const { kind } = stage;
  const answersTo = (id: string) => stage.listener.json<Result>(resultTopic(id));
  /** Discovery may be told last. */
  const retained = async () => {
    const discovery = await stage.soon('discovery', () => stage.discovery(node));
    return [status, state, lastOutage, discovery];
  };
  const facts = (type: string) => stage.facts(node, type);

  it('is told of a new gateway', async () => {
    const { listener } = stage;
    // Of an earlier sockmon, whose journal is lost.
    const left = { platform: 'sensor', unique_id: 'sockmon_lab_left' };
    const earlier = JSON.stringify({ origin: { name: 'sockmon' }, components: { left } });
    await listener.publish(`homeassistant/device/sockmon_${node}/config`, earlier, true);
    await listener.publish(run, command(stored, 'resume'), true);
    const daemon = stage.run(node);
    await daemon.watching();
    await stage.soon('online', () => listener.last(status) === 'online');
    await stage.soon('the end of what was left', () =>
      listener.heard.some(({ topic, payload }) =>
        topic === `homeassistant/sensor/sockmon_${node}/left/config`
          ? payload === ''
          : payload.includes('"left":{"platform":"sensor"}'),
      ),
    );
    await retained();
    const told = await stage.soon('the state', () => stage.connection(node)?.protocol);
    assert.equal(told, kind.protocol);
  });

  it('does not make it obey a command that waited there', async () => {
    await stage.listener.settle();
    assert.deepEqual(
      answersTo(stored).filter(answer => answer.status === 'accepted'),
      [],
    );
  });

  it('has that command taken off', async () => {
    assert.equal((await stage.result(node, stored, 'rejected')).code, 'retained');
    await stage.soon('it to be cleared', () => stage.listener.last(run) === '');
  });

  it('is told of an outage and its end, in order', async () => {
    const { listener } = stage;
    await listener.publish(run, '', true);
    const kill = stage.lab.killStack('SIGKILL');
    await stage.soon('the recovery', () => facts('stack_recovered').length === 1);
    const [down, recovered] = [facts('stack_down')[0], facts('stack_recovered')[0]];
    assert.ok(down && recovered);
    assertTold(down, recovered, kill);
    await stage.soon('online again', () => listener.last(status) === 'online');
    await stage.soon('the last outage', () =>
      listener.json<{ id: string }>(lastOutage).some(({ id }) => id === down.outage),
    );
  });

  it('keeps what is retained for who comes later', async () => {
    for (const topic of await retained()) await stage.given(topic, payloads => payloads.has(topic));
    if (kind.retainsForWildcards) {
      const wanted = [status, state, lastOutage];
      await stage.given(`sockmon/${node}/#`, payloads => wanted.every(topic => payloads.has(topic)));
      return;
    }
    const kept = await retained();
    // A message afterwards: had there been anything stored, it would have come before. What is told anew meanwhile comes without the flag.
    const late = await stage.listen('#');
    await late.settle();
    assert.deepEqual(
      late.heard.filter(({ topic, retain }) => retain && kept.includes(topic)),
      [],
    );
    await late.close();
  });

  it('brings a command, and gets its result', async () => {
    const { listener, script } = stage;
    await stage.isObeying(node);
    const before = script.calls().length;
    await listener.publish(run, command('interop-restart-1', 'restart', 'tcpip'));
    await stage.result(node, 'interop-restart-1', 'accepted');
    await stage.result(node, 'interop-restart-1', 'done');
    assert.equal(script.calls().length, before + 1);
  });

  it('brings a command that is retained while we listen', async () => {
    const { listener, gate } = stage;
    const id = 'interop-kept-1';
    await stage.isObeying(node);
    await listener.publish(run, command(id, 'resume'), true);
    if (kind.protocol === '5') {
      assert.equal((await stage.result(node, id, 'rejected')).code, 'retained');
      await stage.soon('it to be cleared', () => listener.last(run) === '');
      assert.equal(answersTo(id).length, 1);
      return;
    }
    // 3.1.1 hides the flag of a live message; the copy that was kept is refused.
    await stage.result(node, id, 'accepted');
    const before = stage.connects();
    await gate.close();
    await gate.open();
    await stage.soon('a new connection', () => stage.connects() > before);
    await stage.result(node, id, 'rejected');
    await stage.soon('it to be cleared', () => listener.last(run) === '');
    await stage.isListening(node);
    // An answer that was not acknowledged before the connection ended is told again as it was.
    const accepted = answersTo(id).filter(answer => answer.status === 'accepted');
    assert.equal(new Set(accepted.map(({ at }) => at)).size, 1);
  });

  it('is restarted in the middle: everything is there again, nothing is told twice and nothing lost', async () => {
    const { gate, broker, daemon } = stage;
    await stage.listener.publish(run, '', true);
    await gate.close();
    await stage.listener.close();
    await broker.stop();
    const count = daemon.entries('outage_end').length;
    const kill = stage.lab.killStack('SIGKILL');
    await daemon.entry('outage_end', count + 1, { deadlineMs: 60_000 });
    await broker.restarted();
    stage.listener = await stage.listen();
    if (kind.retainsOverRestart) {
      await stage.given(state, payloads => payloads.has(state));
    } else {
      const late = await stage.listen(state);
      await late.client.subscribeAsync('mark/#', { qos: 1 });
      await late.settle();
      assert.deepEqual(late.on(state), []);
      await late.close();
    }
    await gate.open();
    await stage.soon('the recovery', () => facts('stack_recovered').length > 0);
    const [down, recovered] = [facts('stack_down')[0], facts('stack_recovered')[0]];
    assert.ok(down && recovered);
    assertTold(down, recovered, kill);
    await stage.soon('all to be acknowledged', () =>
      daemon.entries('published').some(({ upTo }) => upTo >= recovered.seq),
    );
    for (const topic of await retained()) await stage.given(topic, payloads => payloads.has(topic));
    await stage.listener.settle();
    assert.equal(stage.listener.json(events).length, 2);
    await stage.isListening(node);
  });

  it('takes the result of a command whose id has a dot, or stops at most two connections for it', async () => {
    const { listener } = stage;
    await stage.isObeying(node);
    const before = stage.connects();
    await listener.publish(run, command('interop.dot.1', 'resume'));
    if (kind.dots !== 'hangs up') {
      await stage.result(node, kind.dots === 'kept' ? 'interop.dot.1' : 'interop/dot/1', 'accepted');
      return;
    }
    await stage.soon('it to be given up', () => /answer to interop\.dot\.1/.test(stage.log));
    await stage.isListening(node);
    await listener.publish(run, command('interop-after-dot', 'resume'));
    await stage.result(node, 'interop-after-dot', 'accepted');
    assert.equal(stage.connects() - before, 2);
  });
}
