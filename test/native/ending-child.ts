/** A process that ends, or goes wrong, in the way that its argument names while its monitor has much to tell. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { addon, type Event, shell } from './helpers.js';

const [ending = '', folder = ''] = process.argv.slice(2);
const count = 40;

const mark = (i: number): string => `: > ${folder}/${i}.mark`;

/** Watches this many sleeping children, each with a reflex. */
function watchChildren(onEvents: (events: Event[]) => void, script: (i: number) => string): ChildProcess[] {
  const monitor = new addon.Monitor(onEvents);
  return Array.from({ length: count }, (_, i) => {
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
    const pidfile = `${folder}/${i}.pid`;
    writeFileSync(pidfile, `${child.pid}\n`);
    assert.equal(monitor.watch(`r${i}`, [{ kind: 'process', pidfile }])[0]?.state, 'up');
    monitor.armReflex(`r${i}`, shell(`reflex${i}`, script(i)));
    return child;
  });
}

const marks = (): number => readdirSync(folder).filter(name => name.endsWith('.mark')).length;

/** Kills them and blocks until the monitor has seen it: its events are queued, none is delivered. */
function killAndBlock(children: ChildProcess[]): void {
  for (const child of children) child.kill('SIGKILL');
  while (marks() < count);
}

const endings: Record<string, () => void> = {
  /** The last thing of all: nothing runs JavaScript after the handlers of `exit`. */
  'natural exit': () => {
    const monitor = new addon.Monitor(() => process.stdout.write('delivered\n'));
    monitor.unref();
    process.on('exit', () => {
      for (let i = 0; i < count; i++) monitor.run(shell(`r${i}`, mark(i)));
      while (marks() < count);
    });
  },
  'exit while children die': () => {
    for (const child of watchChildren(
      () => {},
      () => 'true',
    ))
      child.kill('SIGKILL');
    process.exit(5);
  },
  'exit with all events queued': () => {
    killAndBlock(watchChildren(() => process.stdout.write('delivered\n'), mark));
    process.exit(5);
  },
  /** One batch is lost to the exception, as the exception itself tells; nothing after it is. */
  'callback throws': () => {
    const errors: string[] = [];
    const downs = new Set<string>();
    process.on('uncaughtException', error => errors.push(error.message));
    const children = watchChildren(
      events => {
        for (const event of events)
          if (event.type === 'sensor' && event.state === 'down') downs.add(event.resource);
        throw new Error(`batch of ${events.length}`);
      },
      () => 'true',
    );
    for (const child of children) child.kill('SIGKILL');
    const look = setInterval(() => {
      if (downs.size < count) return;
      clearInterval(look);
      assert.ok(errors.length > 0 && errors.every(message => /^batch of \d+$/.test(message)), errors.join());
      process.exit(0);
    }, 5);
  },
};

const act = endings[ending];
assert.ok(act, `no ending is called ${ending}`);
act();
