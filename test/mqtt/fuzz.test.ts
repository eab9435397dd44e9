/**
 * 100,000 random and mutated packets, through the parser and the whole machine with rebooting allowed: no crash, no action, one bounded
 * answer each. Half of them in a house with a key, where what is mutated was a good command; half in one without, where it was a stale one.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Effect } from '../../src/core/input.js';
import type { CommandAnswer, ReceivedCommand } from '../../src/core/ports.js';
import { actions } from '../../src/core/records.js';
import { isoTime } from '../../src/core/time.js';
import { type ReplyProperties, replyToOf } from '../../src/mqtt/answers.js';
import { commandOf, maxCommandBytes } from '../../src/mqtt/commands.js';
import { type SignedCommand, type SigningKey, sign } from '../../src/mqtt/signature.js';
import { topicsOf } from '../../src/mqtt/topics.js';
import { policy, resource, sensor, World } from '../core/world.js';

const packets = 100_000;
const topics = topicsOf('sockmon', 'gw1', 'homeassistant');
const signingKey: SigningKey = { node: 'gw1', key: '0123456789abcdef0123456789abcdef' };
const prefix = 'sockmon/gw1/result/';

interface Packet {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retained: boolean;
  readonly duplicate: boolean;
  readonly properties: ReplyProperties;
}

function commands(issuedWallMs: number): SignedCommand[] {
  const issued_at = isoTime(issuedWallMs);
  const expires_at = isoTime(issuedWallMs + 30_000);
  return [
    { id: 'fuzz-reboot', action: 'reboot', issued_at },
    { id: 'fuzz-restart', action: 'restart', target: 'tcpip', issued_at, expires_at, reason: 'ü "x"' },
    { id: 'fuzz-pause', action: 'pause', issued_at, for: '1h30m' },
    { id: 'fuzz-pause-2', action: 'pause', target: 'dns', issued_at, for_s: 60, expires_at },
    { id: 'fuzz-resume', action: 'resume', issued_at },
    { id: 'fuzz-time', action: 'pause_time', for_s: 600, issued_at },
    { id: 'fuzz-drill', action: 'drill', target: 'dns', issued_at },
    { id: 'fuzz-dry', action: 'reboot', issued_at, dry_run: true },
  ];
}

/** A change of bytes somewhere in a payload. */
type Mutation = (bytes: Buffer) => Buffer;
const place = fc.double({ min: 0, max: 1, noNaN: true });
const at = (bytes: Buffer, where: number): number => Math.floor(where * bytes.length);
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(place, fc.integer({ min: 0, max: 7 })).map(([where, bit]): Mutation => {
    return bytes => {
      const copy = Buffer.from(bytes);
      const index = at(copy, where);
      if (index < copy.length) copy[index] = (copy[index] ?? 0) ^ (1 << bit);
      return copy;
    };
  }),
  fc.tuple(place, fc.uint8Array({ minLength: 1, maxLength: 8 })).map(([where, more]): Mutation => {
    return bytes =>
      Buffer.concat([bytes.subarray(0, at(bytes, where)), more, bytes.subarray(at(bytes, where))]);
  }),
  fc.tuple(place, fc.integer({ min: 1, max: 40 })).map(([where, count]): Mutation => {
    return bytes =>
      Buffer.concat([bytes.subarray(0, at(bytes, where)), bytes.subarray(at(bytes, where) + count)]);
  }),
  fc.tuple(place, place).map(([from, to]): Mutation => {
    return bytes => Buffer.concat([bytes, bytes.subarray(at(bytes, from), at(bytes, to))]);
  }),
  fc.tuple(place, fc.integer({ min: 1, max: 3000 })).map(([where, count]): Mutation => {
    return bytes => {
      const middle = Buffer.alloc(count, bytes[at(bytes, where)] ?? 0x20);
      return Buffer.concat([bytes.subarray(0, at(bytes, where)), middle, bytes.subarray(at(bytes, where))]);
    };
  }),
  place.map(
    (where): Mutation =>
      bytes =>
        bytes.subarray(0, at(bytes, where)),
  ),
);

/** One key of a command gets another value: one that fits, or any. */
const fitting = fc.oneof(
  fc.constantFrom('tcpip', 'dns', 'nobody').map(value => ({ key: 'target', value })),
  fc.constantFrom(...actions).map(value => ({ key: 'action', value })),
  fc.constantFrom('fuzz-other', 'fuzz-reboot').map(value => ({ key: 'id', value })),
  fc.string({ maxLength: 256, size: 'max', unit: 'binary' }).map(value => ({ key: 'reason', value })),
  fc.boolean().map(value => ({ key: 'dry_run', value })),
  fc.constantFrom('1s', '10m', '24h', '9999h').map(value => ({ key: 'for', value })),
  fc.double().map(value => ({ key: 'for_s', value })),
  fc
    .tuple(fc.constantFrom('issued_at', 'expires_at'), fc.date({ noInvalidDate: true }))
    .map(([key, date]) => ({ key, value: date.toISOString() })),
  fc.stringMatching(/^[A-Za-z0-9_-]{43}$/).map(value => ({ key: 'sig', value })),
);
const wild = fc.record({
  key: fc.constantFrom(
    ...['v', 'id', 'action', 'target', 'issued_at', 'expires_at', 'for', 'for_s', 'dry_run', 'reason', 'sig'],
    ...['__proto__', 'constructor', 'extra'],
  ),
  value: fc.oneof(
    fc.constantFrom<unknown>(-1, 1e308, [], {}, null, undefined, true, '2099-01-01T00:00:00Z'),
    fc.string({ maxLength: 300, size: 'max', unit: 'binary' }),
    fc.jsonValue(),
  ),
});
const edit = fc.oneof({ weight: 9, arbitrary: fitting }, { weight: 1, arbitrary: wild });

const foreignTopic = fc.oneof(
  fc.constantFrom('sockmon/gw1/cmd', 'sockmon/gw1/cmd/', `${topics.run}/`, topics.run.toUpperCase(), '#'),
  fc
    .tuple(fc.constantFrom(topics.run, topics.reboot), fc.string({ unit: 'binary', minLength: 1 }))
    .map(parts => parts.join('')),
  fc.string({ maxLength: 500, size: 'max', unit: 'binary' }),
);
const seldom = fc.integer({ min: 0, max: 9 }).map(number => number === 5);
const properties: fc.Arbitrary<ReplyProperties> = fc.oneof(
  fc.constant({}),
  fc.record({
    responseTopic: fc.oneof(
      fc.string({ maxLength: 400, size: 'max', unit: 'binary' }),
      fc.string({ maxLength: 400, size: 'max' }).map(text => prefix + text),
      fc.constantFrom(...Object.values(topics).filter(value => typeof value === 'string')),
    ),
    correlationData: fc.uint8Array({ maxLength: 400, size: 'max' }).map(bytes => Buffer.from(bytes)),
  }),
);

function mutated(texts: readonly string[], most: number): fc.Arbitrary<Buffer> {
  return fc
    .tuple(fc.constantFrom(...texts), fc.array(mutation, { maxLength: most, size: 'max' }))
    .map(([text, changes]) => changes.reduce<Buffer>((bytes, change) => change(bytes), Buffer.from(text)));
}

/** From nothing, from JSON, and from commands by editing keys or bytes. */
function commandPayload(templates: readonly object[]): fc.Arbitrary<Buffer> {
  const edited = fc
    .tuple(fc.constantFrom(...templates), fc.array(edit, { minLength: 1, maxLength: 3, size: 'max' }))
    .map(([base, edits]) => {
      const changed = Object.fromEntries(edits.map(({ key, value }) => [key, value]));
      return Buffer.from(JSON.stringify({ ...base, ...changed }));
    });
  return fc.oneof(
    {
      weight: 2,
      arbitrary: fc.uint8Array({ maxLength: 3000, size: 'max' }).map(bytes => Buffer.from(bytes)),
    },
    { weight: 1, arbitrary: fc.json({ maxDepth: 5 }).map(text => Buffer.from(text)) },
    { weight: 6, arbitrary: edited },
    {
      weight: 4,
      arbitrary: mutated(
        templates.map(template => JSON.stringify(template)),
        6,
      ),
    },
  );
}

/** Half of those on the reboot topic have what belongs there, changed or not. */
function addressed(templates: readonly object[]): fc.Arbitrary<Pick<Packet, 'topic' | 'payload'>> {
  const payload = commandPayload(templates);
  const press = fc.oneof(fc.constant(Buffer.from('PRESS')), mutated(['PRESS'], 2), payload);
  return fc.oneof(
    { weight: 8, arbitrary: fc.record({ topic: fc.constant(topics.run), payload }) },
    { weight: 2, arbitrary: fc.record({ topic: fc.constant(topics.reboot), payload: press }) },
    { weight: 1, arbitrary: fc.record({ topic: foreignTopic, payload }) },
  );
}

class House {
  readonly world: World;
  answers = 0;
  readonly codes = new Map<string, number>();
  private count = 0;

  constructor(private readonly signingKey: SigningKey | null) {
    const dns = resource('dns', { sensors: [sensor('process dnsmasq')] });
    this.world = new World(policy([resource('tcpip'), dns]));
    this.world.up('tcpip');
    this.world.up('dns');
  }

  parse({ topic, payload, retained, duplicate }: Packet, sinceConnectMs: number): ReceivedCommand | null {
    const packet = { topic, payload, retained, duplicate, sinceConnectMs };
    return commandOf(packet, topics, () => `id-${++this.count}`.padEnd(36, '0'), this.signingKey);
  }

  judge(command: ReceivedCommand): readonly Effect[] {
    return this.world.input({ kind: 'command', command });
  }

  /** What must hold for each packet. */
  take(packet: Packet, sinceConnectMs: number): void {
    checkReply(packet.properties);
    const command = this.parse(packet, sinceConnectMs);
    const isOurs = packet.topic === topics.run || packet.topic === topics.reboot;
    assert.equal(command !== null, isOurs && packet.payload.length > 0);
    if (command === null) return;
    const effects = this.judge(command);
    const answers = effects.flatMap(effect => (effect.do === 'answer' ? [effect.answer] : []));
    assert.equal(answers.length, 1);
    checkAnswer(answers[0] as CommandAnswer);
    for (const effect of effects) {
      if (effect.do === 'answer') continue;
      assert.equal(effect.do === 'journal' && effect.record.type, 'command', JSON.stringify(effect));
    }
    this.answers++;
    const code = answers[0]?.code ?? '';
    this.codes.set(code, (this.codes.get(code) ?? 0) + 1);
  }
}

function checkAnswer(answer: CommandAnswer): void {
  assert.equal(answer.status, 'rejected', JSON.stringify(answer));
  assert.ok(answer.code !== null && answer.detail !== '');
  assert.match(answer.id, /^[A-Za-z0-9._-]{8,64}$/);
  assert.ok(Buffer.byteLength(JSON.stringify(answer)) <= 1024);
}

function checkReply(given: ReplyProperties): void {
  const reply = replyToOf(given, prefix, topics);
  if (reply === null) return;
  assert.ok(reply.topic.startsWith(prefix) && Buffer.byteLength(reply.topic) <= 256);
  assert.doesNotMatch(reply.topic, /[+#$\0]/);
  assert.ok((reply.correlationData?.length ?? 0) <= 256);
}

function fuzz(house: House, templates: readonly object[], sinceConnectMs: number, runs: number): void {
  const packet = fc
    .tuple(addressed(templates), fc.record({ retained: seldom, duplicate: seldom, properties }))
    .map(([said, more]): Packet => ({ ...said, ...more }));
  const originals = new Map(
    templates.map(template => {
      const bytes = Buffer.from(JSON.stringify(template));
      const clean = { topic: topics.run, payload: bytes, retained: false, duplicate: false, properties: {} };
      const command = house.parse(clean, sinceConnectMs);
      return [command?.id, command];
    }),
  );
  fc.assert(
    fc.property(packet, one => {
      const command = house.parse(one, sinceConnectMs);
      // A blank that was put in changes nothing: that is still the good command, and has to be refused for something else.
      if (command?.signature === 'valid') {
        assert.deepEqual(meaningOf(command), meaningOf(originals.get(command.id) as ReceivedCommand));
        house.take({ ...one, retained: true }, sinceConnectMs);
        return;
      }
      house.take(one, sinceConnectMs);
    }),
    { numRuns: runs },
  );
}

/** No dry run and no reason are the same whether that is said or left out. */
function meaningOf({ retained: _, duplicate: __, dryRun, detail, ...command }: ReceivedCommand): object {
  return { ...command, ...(dryRun && { dryRun }), ...(detail && { detail }) };
}

describe('the door for commands', () => {
  it(`with a key: ${packets / 2} packets, of which none is carried out`, () => {
    const house = new House(signingKey);
    const good = commands(house.world.wallMs).map(command => ({
      v: 1,
      ...command,
      sig: sign(signingKey, command),
    }));
    fuzz(house, good, 60_000, packets / 2);
    assert.ok(house.answers > packets / 4, `${house.answers} answers`);
    for (const code of ['invalid', 'retained', 'duplicate', 'bad_signature'])
      assert.ok((house.codes.get(code) ?? 0) > 50, `${code}: ${house.codes.get(code)}`);
    assertQuiet(house);
    // What was mutated would have been carried out: the fuzz had something to break.
    const statuses = good.map(body => {
      const command = house.parse(packetOf(body), 60_000) as ReceivedCommand;
      house.world.advance(1);
      return house.judge(command).find(effect => effect.do === 'answer')?.answer.status;
    });
    assert.equal(statuses[0], 'accepted');
    assert.equal(house.world.did('reboot').length, 1);
  });

  it(`without one: ${packets / 2} packets, stale ones mutated and presses too soon, of which none is carried out`, () => {
    const house = new House(null);
    const stale = commands(house.world.wallMs - 400 * 86_400_000).map(command => ({ v: 1, ...command }));
    fuzz(house, stale, 5000, packets / 2);
    assert.ok(house.answers > packets / 4, `${house.answers} answers`);
    for (const code of ['invalid', 'retained', 'duplicate', 'too_soon'])
      assert.ok((house.codes.get(code) ?? 0) > 50, `${code}: ${house.codes.get(code)}`);
    assertQuiet(house);
  });

  it('knows the payload’s bound to the byte', () => {
    const house = new House(null);
    const body = { v: 1, id: 'size-12345', action: 'resume', issued_at: isoTime(house.world.wallMs) };
    const text = JSON.stringify(body);
    const sized = (bytes: number) => Buffer.from(text + ' '.repeat(bytes - text.length));
    const of = (payload: Buffer) => house.parse({ ...packetOf(body), payload }, 60_000)?.action;
    assert.deepEqual([of(sized(maxCommandBytes)), of(sized(maxCommandBytes + 1))], ['resume', null]);
  });
});

function packetOf(body: object): Packet {
  const payload = Buffer.from(JSON.stringify(body));
  return { topic: topics.run, payload, retained: false, duplicate: false, properties: {} };
}

/** All that is left of it in the journal. */
function assertQuiet({ world, codes }: House): void {
  assert.ok(world.of('command').length <= 5 * codes.size, `${world.of('command').length} entries`);
}
