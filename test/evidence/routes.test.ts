import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ipv6Address, routeWords } from '../../src/evidence/routes.js';

/** A gateway as a Raspberry Pi with a cable and a WireGuard tunnel shows it. */
const ipv4 = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
wg0\t000A0A0A\t00000000\t0001\t0\t0\t0\t00FCFFFF\t0\t0\t0
*\t00000A0A\t00000000\t0201\t0\t0\t0\t00FFFFFF\t0\t0\t0
`;

const ipv6 = `20010db8000000010000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000002 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000002 00000000 00000003     eth0
00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000002 00000000 80200001       lo
20010db8000000010000000000000002 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000003 00000000 80200001     eth0
ff000000000000000000000000000000 08 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000002 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
`;

describe('routes in words', () => {
  it('are those of ip route, the default ones first, without what is local, rejected or multicast', () => {
    assert.deepEqual(routeWords(ipv4, ipv6), [
      'default via 192.168.1.1 dev eth0 metric 100',
      'default via fe80::1 dev eth0 metric 1024',
      '192.168.1.0/24 dev eth0 metric 100',
      '10.10.10.0/22 dev wg0',
      '2001:db8:0:1::/64 dev eth0 metric 256',
    ]);
  });

  it('say a default route that needs no gateway, as on PPP', () => {
    const ppp = 'ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n';
    assert.deepEqual(routeWords(ppp, ''), ['default dev ppp0']);
  });

  it('leave out a line that the kernel cannot have written, and keep the others', () => {
    const torn = `${ipv4}eth0\t0001A8\neth1\t0001A8C0\t00000000\tzzzz\t0\t0\t0\t00FFFFFF\t0\t0\t0\neth2\t0001A8C0\t00000000\t0001\t0\t0\t0\tFF00FF00\t0\t0\t0\n`;
    assert.deepEqual(routeWords(torn, 'ff x y\n\0\0'), routeWords(ipv4, ''));
  });

  it('bear any text', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (one, other) => {
        assert.deepEqual(routeWords(one, other), []);
      }),
    );
  });
});

describe('an IPv6 address', () => {
  const cases = [
    ['00000000000000000000000000000000', '::'],
    ['00000000000000000000000000000001', '::1'],
    ['20010db8000000000001000000000000', '2001:db8:0:0:1::'],
    ['20010db8000100020003000400050006', '2001:db8:1:2:3:4:5:6'],
    ['20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
  ] as const;
  for (const [hex, words] of cases) it(`${hex} is ${words}`, () => assert.equal(ipv6Address(hex), words));
});
