/** Signed commands: what is covered, and that openssl makes the same. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { commandOf } from '../../src/mqtt/commands.js';
import { type SignedCommand, sign, signatureOf, signedText } from '../../src/mqtt/signature.js';
import { topicsOf } from '../../src/mqtt/topics.js';

const signingKey = { node: 'gw1', key: '0123456789abcdef0123456789abcdef' };
const full: SignedCommand = {
  id: 'ops-12345678',
  action: 'pause',
  target: 'tcpip',
  issued_at: '2026-01-02T03:04:05Z',
  expires_at: '2026-01-02T04:04:05Z',
  for: '10m',
  dry_run: true,
  reason: 'new cable\nof ours',
};
const signed = (command: SignedCommand): SignedCommand => ({ ...command, sig: sign(signingKey, command) });
const without = (key: keyof SignedCommand): SignedCommand =>
  Object.fromEntries(Object.entries(full).filter(([name]) => name !== key)) as unknown as SignedCommand;

describe('a signature', () => {
  it('is over ten lines, the last of which may hold more', () => {
    assert.equal(
      signedText('gw1', full),
      'sockmon1\ngw1\npause\ntcpip\nops-12345678\n2026-01-02T03:04:05Z\n2026-01-02T04:04:05Z\n10m\ntrue\nnew cable\nof ours',
    );
    const least = { id: 'ops-12345678', action: 'reboot', issued_at: '2026-01-02T03:04:05Z' };
    assert.equal(
      signedText('gw1', least),
      'sockmon1\ngw1\nreboot\n\nops-12345678\n2026-01-02T03:04:05Z\n\n\n\n',
    );
    assert.equal(signedText('gw1', { ...least, for_s: 90.5, dry_run: false }).split('\n')[7], '90.5');
  });

  it('is what openssl makes of it', () => {
    const { stdout } = spawnSync('openssl', ['dgst', '-sha256', '-hmac', signingKey.key, '-binary'], {
      input: signedText('gw1', full),
    });
    assert.equal(sign(signingKey, full), stdout.toString('base64url'));
    assert.equal(sign(signingKey, full).length, 43);
  });

  it('is valid for what was signed and for nothing else: each key that is changed or left out is noticed', () => {
    const { sig } = signed(full);
    assert.equal(signatureOf(signingKey, { ...full, sig }), 'valid');
    const changes: Partial<SignedCommand>[] = [
      { id: 'ops-12345679' },
      { action: 'resume' },
      { target: 'dns' },
      { issued_at: '2026-01-02T03:04:06Z' },
      { expires_at: '2026-01-03T04:04:05Z' },
      { for: '11m' },
      { dry_run: false },
      { reason: 'other' },
    ];
    for (const change of changes) {
      assert.equal(signatureOf(signingKey, { ...full, ...change, sig }), 'bad', JSON.stringify(change));
      const key = Object.keys(change)[0] as keyof SignedCommand;
      assert.equal(signatureOf(signingKey, { ...without(key), sig }), 'bad', `without ${key}`);
    }
    assert.equal(signatureOf(signingKey, { ...without('for'), for_s: 600, sig }), 'bad');
  });

  it('is of one node and one key', () => {
    const { sig } = signed(full);
    assert.equal(signatureOf({ ...signingKey, node: 'gw2' }, { ...full, sig }), 'bad');
    assert.equal(
      signatureOf({ ...signingKey, key: signingKey.key.replace('0', '1') }, { ...full, sig }),
      'bad',
    );
    assert.equal(signatureOf(signingKey, full), 'missing');
  });
});

describe('a command with a signature', () => {
  const topics = topicsOf('sockmon', 'gw1', null);
  const parse = (body: unknown, key = signingKey as typeof signingKey | null, topic = topics.run) => {
    const payload = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    const packet = { topic, payload, retained: false, duplicate: false, sinceConnectMs: 60_000 };
    return commandOf(packet, topics, () => 'new-id-1', key);
  };
  const command = { v: 1, ...full };

  it('bears the verdict, and none where there is no key', () => {
    assert.equal(parse({ v: 1, ...signed(full) })?.signature, 'valid');
    assert.equal(parse({ v: 1, ...signed(full), target: 'dns' })?.signature, 'bad');
    assert.equal(parse(command)?.signature, 'missing');
    assert.equal(parse('PRESS', signingKey, topics.reboot)?.signature, 'missing');
    assert.equal(parse({ v: 1, ...signed(full) }, null)?.signature, undefined);
    assert.equal(parse('PRESS', null, topics.reboot)?.signature, undefined);
  });

  it('cannot hide a line in a value: no other command has the same text', () => {
    for (const target of ['tcpip\nops-12345678', 'tcpip\r', '']) {
      assert.equal(parse({ ...command, target })?.action, null);
    }
    for (const sig of ['', 'x'.repeat(42), 'x'.repeat(44), `${'x'.repeat(42)}=`]) {
      assert.match(parse({ ...command, sig })?.detail ?? '', /^sig: expected 43 characters of base64url/);
    }
  });
});
