/** A rule set that forgets loopback: the network lives, datagrams to the machine itself do not. */
import assert from 'node:assert/strict';
import { causeWords } from '../../src/core/words.js';
import type { Lab } from '../lab/lab.js';
import { needs } from '../native/needs.js';
import { scenario } from './scenario.js';

const skip = needs('nft', ['--version']);

/** What a person loads who thinks of the network only. */
const rules =
  'add table inet f; add chain inet f i { type filter hook input priority 0; policy drop; }; add rule inet f i ct state established,related accept; add rule inet f i iifname tap0 accept';

/** Watches what the network is by default; its restart does not help, and would be followed by a reboot. */
function watched(lab: Lab) {
  return lab.run({
    resources: {
      tcpip: {
        watch: [{ stack: { every: '1s' } }, 'uplink'],
        restart: { script: '/bin/false', attempts: 1, every: '1s' },
        reboot: true,
      },
    },
    reboot: { allowed: true, min_uptime: '0s' },
  });
}

scenario(
  'a packet filter that drops loopback is named, and asks for no reboot',
  async lab => {
    const daemon = watched(lab);
    await daemon.watching();
    await lab.inGateway(`nft '${rules}'`);
    const { next, detail } = await daemon.entry('recovery_failed');
    assert.equal(next, 'stay_down');
    assert.match(detail, /no reboot is asked for, since tap0 carries traffic and loopback alone fails$/);
    const { cause } = await daemon.entry('outage_cause');
    assert.equal(
      causeWords(cause),
      'no datagram passes over loopback (ETIMEDOUT), while tap0 carries traffic: probably a packet filter that drops loopback (nftables table inet f, chain i: policy drop)',
    );
    assert.deepEqual((await daemon.entry('evidence')).filters, [
      'nftables table inet f, chain i: policy drop',
    ]);
    assert.equal(daemon.entries('reboot_intent').length, 0);
    await lab.inGateway('nft delete table inet f');
    assert.equal((await daemon.entry('outage_end')).outcome, 'recovered');
  },
  skip,
);

scenario(
  'with the uplink dead as well the reboot is asked for',
  async lab => {
    const daemon = watched(lab);
    await daemon.watching();
    await lab.inGateway(`nft '${rules}'`);
    await daemon.entry('recovery_failed');
    assert.equal(daemon.entries('reboot_intent').length, 0);
    await lab.takeLinkDown();
    const { reason } = await daemon.entry('reboot_intent');
    assert.match(
      reason,
      /^tcpip did not come back: no datagram passes over loopback \(ETIMEDOUT\), 2 attempts failed$/,
    );
  },
  skip,
);
