/** What a broker says to a wrong password, and what becomes of everything else where one topic is forbidden. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { assertTold } from '../e2e/scenario.js';
import { forbiddenTopics } from './broker.js';
import { type Stage, topicsOf } from './stage.js';

const [forbidden, forbiddenWill] = forbiddenTopics;

export function playRights(stage: Stage): void {
  const { kind } = stage;

  it('does not let sockmon tell the last outage: that is told, and so is all the rest', {}, async () => {
    const node = 'bound';
    const { status, events } = topicsOf(node);
    const daemon = stage.run(node, { protocol: kind.protocol });
    await daemon.watching();
    await stage.soon('online', () => stage.listener.last(status) === 'online');
    const kill = stage.lab.killStack('SIGKILL');
    await stage.soon('the recovery', () => stage.facts(node, 'stack_recovered').length > 0);
    const [down, recovered] = [stage.facts(node, 'stack_down')[0], stage.facts(node, 'stack_recovered')[0]];
    assert.ok(down && recovered);
    assertTold(down, recovered, kill);
    if (kind.forbidden === 'said')
      await stage.soon(
        'it to be said',
        () => stage.log.includes(`The broker refused the last outage`) && stage.log.includes(forbidden),
      );
    if (kind.forbidden === 'hangs up' || kind.forbidden === 'never acknowledged')
      await stage.soon('the problem', () => stage.connection(node)?.problem?.includes(forbidden));
    await stage.soon('all to be acknowledged', () =>
      daemon.entries('published').some(({ upTo }) => upTo >= recovered.seq),
    );
    await stage.soon('online', () => stage.listener.last(status) === 'online');
    await stage.listener.settle();
    // Twice where the connection ended before the acknowledgements were read.
    assert.ok(stage.listener.json(events).length <= 4);
    assert.deepEqual(stage.listener.on(forbidden), []);
    // Four with a hang-up before the topic is found; of more than 1,024 bytes two more, for it may have been the size.
    assert.ok(stage.connects() <= 8, `${stage.connects()} connections:\n${stage.log}`);
    assert.doesNotMatch(stage.log, /another client/i);
  });

  it('does not take a will that is forbidden, which is told as such, or takes it', async () => {
    await stage.killed();
    stage.run('barred', { protocol: kind.protocol });
    if (kind.forbiddenWill === 'refused') {
      await stage.soon('it to be said', () => stage.log.includes('takes this user, but not its will'));
      assert.match(stage.log, new RegExp(`Let this user write to ${forbiddenWill}`));
      assert.doesNotMatch(stage.log, /refuses us/);
      return;
    }
    await stage.soon('a connection', () => stage.connects() > 0);
  });

  it('refuses a wrong password, which is told in these words', async () => {
    await stage.killed();
    stage.run('stranger', { secret: 'wrong' });
    const told = await stage.soon('the refusal', () => /refuses us: (.*?)\. Check user/.exec(stage.log)?.[1]);
    assert.match(told, /not authorized|bad user ?name or password/i);
    assert.equal(stage.connects(), 0);
    assert.doesNotMatch(stage.log, /its will/);
    await stage.killed();
  });
}
