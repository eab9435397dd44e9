import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { brokerUrlFault } from '../../src/config/mqtt-schema.js';
import { endpointOf } from '../../src/mqtt/endpoint.js';

test('URLs of brokers that are accepted', () => {
  for (const url of [
    'mqtt://192.168.1.10:1883',
    'mqtt://broker.lan',
    'mqtt://broker.lan/',
    'mqtts://[fd00::1]:8883',
    'ws://broker.lan:9001/mqtt',
    'wss://broker.lan/mqtt',
    'mqtt+unix:///run/mosquitto.sock',
    'MQTT://BROKER.LAN',
  ])
    assert.equal(brokerUrlFault(url), null, url);
});

test('URLs of brokers that are refused', () => {
  const table: readonly [string, RegExp][] = [
    ['', /not a URL/],
    ['broker.lan', /not a URL/],
    ['broker.lan:1883', /protocol/],
    ['tcp://broker.lan', /protocol/],
    ['http://broker.lan', /protocol/],
    ['mqtt://', /no host|not a URL/],
    ['mqtt://h:0', /port 0/],
    ['mqtt://h:99999', /not a URL/],
    ['mqtt://u@h', /user or a password/],
    ['mqtt://:p@h', /user or a password/],
    ['mqtt://h/topic', /has a path/],
    ['wss://h/mqtt?token=x', /after "\?"/],
    ['mqtt://h#x', /after "\?" or "#"/],
    ['mqtt+unix://run/m.sock', /three slashes/],
    ['mqtt+unix://', /three slashes/],
    ['mqtt+unix:///run/%zz', /hexadecimal/],
  ];
  for (const [url, words] of table) assert.match(brokerUrlFault(url) ?? 'accepted', words, url);
});

test('what is accepted here can be dialled, and no fault repeats the URL', () => {
  const pieces = [
    'mqtt',
    'mqtts',
    'ws',
    'mqtt+unix',
    '://',
    ':',
    '/',
    '@',
    'host',
    'secret',
    '[::1]',
    '%',
    '?',
    '#',
    '1883',
    ' ',
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 10 }), parts => {
      const url = parts.join('');
      const fault = brokerUrlFault(url);
      if (fault === null) assert.ok(endpointOf(url));
      else assert.doesNotMatch(fault, /secret/);
    }),
    { numRuns: 3000 },
  );
});
