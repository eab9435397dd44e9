/** Whether a connection is kept over a loss of the own network. */
import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { Doubt, proofMs } from '../../src/mqtt/doubt.js';

class Fake {
  packets = 5;
  pings = 0;
  ping(): void {
    this.pings += 1;
  }
}

/** Time in the test's hand. */
function stage(work: (doubt: Doubt<Fake>, one: Fake, givenUp: () => number) => void): void {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    let count = 0;
    const doubt = new Doubt<Fake>(() => {
      count += 1;
    });
    work(doubt, new Fake(), () => count);
  } finally {
    mock.timers.reset();
  }
}

describe('a connection after a loss of the network', () => {
  it('is asked for as long as what was sent into the loss may take, and not at all after 2 s of it', () => {
    assert.deepEqual(
      [0, 60, 800, 1900, 1999, 2000, 60_000].map(proofMs),
      [1000, 1060, 1800, 2000, 2000, 0, 0],
    );
  });

  it('is kept when it answers, and given up when it does not', () => {
    for (const answers of [true, false])
      stage((doubt, one, givenUp) => {
        doubt.lost(one, 0);
        doubt.back(one, 100);
        assert.equal(one.pings, 1);
        mock.timers.tick(proofMs(100) - 1);
        assert.equal(givenUp(), 0);
        if (answers) one.packets += 1;
        mock.timers.tick(1);
        assert.equal(givenUp(), answers ? 0 : 1);
        mock.timers.tick(60_000);
        assert.equal(givenUp(), answers ? 0 : 1);
      });
  });

  it('is kept without a question when a packet has come meanwhile, or when it is younger than the loss', () => {
    stage((doubt, one, givenUp) => {
      doubt.lost(one, 0);
      one.packets += 1;
      doubt.back(one, 60_000);
      doubt.lost(one, 70_000);
      const younger = new Fake();
      doubt.back(younger, 130_000);
      assert.deepEqual([one.pings, younger.pings, givenUp()], [0, 0, 0]);
    });
  });

  it('is given up at once after a long loss, and so is what is only an attempt', () => {
    stage((doubt, one, givenUp) => {
      doubt.lost(one, 0);
      doubt.back(one, 2000);
      assert.deepEqual([one.pings, givenUp()], [0, 1]);
      doubt.lost(one, 3000);
      doubt.back(null, 3001);
      assert.equal(givenUp(), 2);
    });
  });

  it('that is lost again before it has answered has one loss, from the first on', () => {
    stage((doubt, one, givenUp) => {
      doubt.lost(one, 0);
      doubt.back(one, 100);
      mock.timers.tick(300);
      doubt.lost(one, 400);
      mock.timers.tick(10_000);
      assert.equal(givenUp(), 0, 'nothing is judged while the network is away');
      doubt.back(one, 2100);
      assert.equal(givenUp(), 1);
    });
  });

  it('that is lost again after it has answered is asked again', () => {
    stage((doubt, one, givenUp) => {
      doubt.lost(one, 0);
      doubt.back(one, 300);
      one.packets += 1;
      doubt.lost(one, 600);
      doubt.back(one, 900);
      assert.equal(one.pings, 2);
      mock.timers.tick(proofMs(300));
      assert.equal(givenUp(), 1, 'the answer to the first question is none to the second');
    });
  });

  it('that has carried traffic while one of two uplinks was away is asked when the other goes', () => {
    stage((doubt, one, givenUp) => {
      doubt.lost(one, 0);
      one.packets += 1000;
      doubt.lost(one, 86_400_000);
      doubt.back(one, 86_400_300);
      mock.timers.tick(proofMs(300));
      assert.equal(givenUp(), 1);
    });
  });

  it('whose end is the answer is replaced at once; otherwise its end accuses nobody, once', () => {
    stage((doubt, one, givenUp) => {
      assert.equal(doubt.ended(one), null);
      doubt.lost(one, 0);
      assert.equal(doubt.ended(one), 'shaken');
      assert.equal(doubt.ended(one), null);
      doubt.lost(one, 0);
      doubt.back(one, 100);
      assert.equal(doubt.ended(one), 'asked');
      assert.equal(givenUp(), 1);
      mock.timers.tick(10_000);
      assert.equal(givenUp(), 1);
    });
  });

  it('is not judged any more once nothing is waited for', () => {
    stage((doubt, one, givenUp) => {
      doubt.lost(one, 0);
      doubt.back(one, 100);
      doubt.stop();
      mock.timers.tick(10_000);
      assert.equal(givenUp(), 0);
    });
  });
});
