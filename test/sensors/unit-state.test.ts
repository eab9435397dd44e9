/** What systemd says of a unit, as advice: the properties are those that systemd 252 has given in each of these situations. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  adviceOf,
  parseProperties,
  slicePath,
  spanMs,
  type UnitProperties,
} from '../../src/sensors/unit-state.js';

const running: UnitProperties = {
  Id: 'x.service',
  LoadState: 'loaded',
  ActiveState: 'active',
  SubState: 'running',
  Type: 'simple',
  Job: '',
  MainPID: '39',
  Result: 'success',
  ExecMainCode: '0',
  ExecMainStatus: '0',
  ExecMainExitTimestampMonotonic: '0',
  ActiveExitTimestampMonotonic: '0',
  InactiveEnterTimestampMonotonic: '0',
  ControlGroup: '/system.slice/x.service',
  Slice: 'system.slice',
  Restart: 'no',
  RestartUSec: '100ms',
  TimeoutStartUSec: '1min 30s',
  TimeoutStopUSec: '1min 30s',
  KillSignal: '15',
  StartLimitBurst: '5',
  StartLimitIntervalUSec: '10s',
  TriggeredBy: '',
  NRestarts: '0',
};
const killed: UnitProperties = {
  ...running,
  ActiveState: 'failed',
  SubState: 'failed',
  MainPID: '0',
  Result: 'signal',
  ExecMainCode: '2',
  ExecMainStatus: '9',
  ExecMainExitTimestampMonotonic: '22469228277',
  ActiveExitTimestampMonotonic: '22469228739',
  InactiveEnterTimestampMonotonic: '22469228739',
  ControlGroup: '',
};
const stopped: UnitProperties = {
  ...killed,
  ActiveState: 'inactive',
  SubState: 'dead',
  Result: 'success',
  ExecMainStatus: '15',
  ActiveExitTimestampMonotonic: '22466517934',
  ExecMainExitTimestampMonotonic: '22466519048',
};

type Loose = { readonly [field: string]: string | number | boolean | undefined };

/** The advice without what is learned for the next death. */
function verdict(unit: UnitProperties, deadPid: number | null = null): Loose {
  const { advice, settled } = adviceOf(unit, deadPid);
  const { graceMs, stopSignal, place, ...rest }: Loose = advice ?? {};
  return { ...rest, settled };
}

describe('what systemd says of a unit', () => {
  it('running, with its main process', () => {
    assert.deepEqual(verdict(running), { state: 'running', pid: 39, byOrder: true, settled: true });
    assert.deepEqual(verdict({ ...running, NRestarts: '2' }, 38), {
      state: 'running',
      pid: 39,
      byOrder: false,
      settled: true,
    });
    assert.equal(verdict({ ...running, ActiveState: 'reloading', SubState: 'reload' }).state, 'running');
  });

  it('nothing, while it has not noticed the end that the sensor has seen', () => {
    assert.deepEqual(adviceOf(running, 39), { advice: null, settled: false });
  });

  it('restarting, for as long as its settings say', () => {
    const again = { ...killed, ActiveState: 'activating', SubState: 'auto-restart', Restart: 'on-failure' };
    assert.deepEqual(verdict(again), { state: 'starting', withinMs: 90_100, settled: false });
    assert.deepEqual(verdict({ ...again, SubState: 'start-pre' }), {
      state: 'starting',
      withinMs: 90_000,
      settled: false,
    });
    assert.equal(verdict({ ...again, TimeoutStartUSec: 'infinity' }).withinMs, 600_100);
  });

  it('being stopped, or between the stop and the start of a restart that was ordered', () => {
    const leaving = { ...stopped, ActiveState: 'deactivating', SubState: 'stop-sigterm' };
    assert.deepEqual(verdict(leaving), { state: 'starting', withinMs: 90_000, settled: false });
    assert.equal(verdict({ ...stopped, Job: '85' }).state, 'starting');
  });

  it('stopped on purpose: it left "active" before its main process ended', () => {
    const words = 'it was stopped by an order to systemd';
    assert.deepEqual(verdict(stopped), { state: 'stopped', words, settled: true });
    // One that answers SIGTERM with a status of its own counts as failed for systemd.
    const java = {
      ...stopped,
      ActiveState: 'failed',
      Result: 'exit-code',
      ExecMainCode: '1',
      ExecMainStatus: '143',
    };
    assert.equal(verdict(java).state, 'stopped');
    // While it waited for its restart.
    assert.equal(verdict({ ...killed, ActiveState: 'inactive', SubState: 'dead' }).state, 'stopped');
    const always = { ...killed, ActiveState: 'inactive', Result: 'success', Restart: 'always' };
    assert.equal(verdict(always).state, 'stopped');
  });

  it('ended by itself: no order came before', () => {
    const byItself = {
      ...stopped,
      ActiveExitTimestampMonotonic: '22466519500',
      ExecMainCode: '1',
      ExecMainStatus: '0',
    };
    assert.deepEqual(verdict(byItself), {
      state: 'failed',
      words: 'it has ended (success)',
      exitCode: 0,
      settled: true,
    });
    assert.equal(verdict({ ...byItself, TriggeredBy: 'x.socket' }).state, 'stopped');
    // A watchdog and a lack of memory end it by systemd's own hand, and nobody wanted that.
    for (const Result of ['watchdog', 'oom-kill', 'timeout'])
      assert.equal(verdict({ ...stopped, ActiveState: 'failed', Result }).reason, 'failed', Result);
  });

  it('ended orderly and forgotten: no unit names it, so that systemd has unloaded it', () => {
    const fresh = { ...stopped, ActiveExitTimestampMonotonic: '0', ExecMainExitTimestampMonotonic: '0' };
    assert.deepEqual(verdict(fresh, 39), {
      state: 'stopped',
      words: 'it has ended orderly, and systemd has forgotten whether by an order',
      settled: true,
    });
    assert.equal(verdict(fresh).state, 'failed', 'nobody has seen it alive');
  });

  it('failed, with how its main process ended', () => {
    assert.deepEqual(verdict(killed), {
      state: 'failed',
      words: 'it has ended (signal)',
      exitSignal: 9,
      coreDumped: false,
      settled: true,
    });
    const dumped = { ...killed, Result: 'core-dump', ExecMainCode: '3', ExecMainStatus: '11' };
    assert.deepEqual([verdict(dumped).exitSignal, verdict(dumped).coreDumped], [11, true]);
  });

  it('given up, also where Result= names the failure before', () => {
    assert.equal(verdict({ ...killed, Result: 'start-limit-hit' }).reason, 'start_limit_hit');
    const limit = {
      ...killed,
      Result: 'exit-code',
      ExecMainCode: '1',
      ExecMainStatus: '7',
      Restart: 'always',
      RestartUSec: '50ms',
      StartLimitBurst: '3',
      StartLimitIntervalUSec: '1min',
      NRestarts: '3',
      InactiveEnterTimestampMonotonic: '22469290000',
    };
    assert.equal(
      verdict(limit).words,
      'systemd has given it up: more than 3 starts within 1 min; it exited with status 7',
    );
    // Failed at once, so that systemd did not mean to restart it (RestartPreventExitStatus=), however often it has before.
    const prevented = { ...limit, InactiveEnterTimestampMonotonic: killed.ActiveExitTimestampMonotonic };
    assert.equal(verdict(prevented as UnitProperties).reason, undefined);
  });

  it('what cannot be watched, with the next step', () => {
    const nothing = { ...stopped, ExecMainExitTimestampMonotonic: '0', ActiveExitTimestampMonotonic: '0' };
    assert.deepEqual(verdict(nothing).words, 'it has not been started');
    assert.match(
      String(verdict({ ...nothing, LoadState: 'not-found' }).fault),
      /^There is no unit x\.service; "systemctl/,
    );
    assert.match(String(verdict({ ...nothing, LoadState: 'masked' }).fault), /unmask x\.service/);
    assert.match(
      String(verdict({ ...nothing, LoadState: 'bad-setting' }).fault),
      /bad-setting.*systemctl status/,
    );
    assert.match(String(verdict({ ...running, Type: 'oneshot' }).fault), /keeps no process/);
    const exited = verdict({ ...running, SubState: 'exited', MainPID: '0' });
    assert.deepEqual([exited.state, exited.faultCode], ['failed', 'EOPNOTSUPP']);
    assert.equal(verdict(running).fault, undefined);
  });

  it('what is to be known at the next death', () => {
    const learned = (unit: UnitProperties, ofUser = false) => {
      const { graceMs, stopSignal, place }: Loose = adviceOf(unit, null, ofUser).advice ?? {};
      return { graceMs, stopSignal, place };
    };
    assert.deepEqual(learned(running), { graceMs: 0, stopSignal: 15, place: '/system.slice/x.service' });
    const again = { ...running, Restart: 'on-failure', RestartUSec: '5s', KillSignal: '3' };
    assert.deepEqual([learned(again).graceMs, learned(again).stopSignal], [95_000, 3]);
    const inactive = { ...stopped, Id: 'wg@a.service', Slice: 'system-wg.slice' };
    assert.equal(learned(inactive).place, '/system.slice/system-wg.slice/wg@a.service');
    assert.equal(learned(inactive, true).place, undefined);
  });
});

describe('the texts of systemctl', () => {
  it('time spans', () => {
    const spans: [string, number][] = [
      ['0', 0],
      ['100ms', 100],
      ['1min 30s', 90_000],
      ['1.5s', 1500],
      ['500us', 0.5],
      ['1w', 600_000],
      ['infinity', 600_000],
      ['', 600_000],
      ['5 parsecs', 600_000],
    ];
    for (const [text, ms] of spans) assert.equal(spanMs(text), ms, text);
  });

  it('slices', () => {
    assert.equal(slicePath('-.slice'), '');
    assert.equal(slicePath('a.slice'), '/a.slice');
    assert.equal(slicePath('a-b-c.slice'), '/a.slice/a-b.slice/a-b-c.slice');
  });

  it('properties, also with "=" in them and with lines that are none', () => {
    assert.deepEqual(parseProperties('Id=a=b.service\nJob=\nnonsense\n'), { Id: 'a=b.service', Job: '' });
  });
});
