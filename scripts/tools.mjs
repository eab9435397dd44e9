/** The programs that tests and the demo use beside Node, and the Debian packages that bring them. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { step, which } from './run.mjs';

const tools = [
  { program: 'mosquitto', package: 'mosquitto', for: 'the tests against a real broker' },
  {
    program: 'mosquitto_pub',
    package: 'mosquitto-clients',
    for: 'the tests that send commands from outside',
  },
  {
    program: 'slirp4netns',
    package: 'slirp4netns',
    for: 'the end-to-end tests, which kill a real TCP/IP stack',
  },
  { program: 'ip', package: 'iproute2', for: 'the tests in network namespaces' },
  { program: 'nft', package: 'nftables', for: 'the tests with packet filters' },
  { program: 'openssl', package: 'openssl', for: 'the TLS tests' },
  { program: 'python3', package: 'python3-minimal', for: 'the tests with a service manager' },
  { program: 'systemd-analyze', package: 'systemd', for: 'the tests of the unit files' },
];

/** What only the tests against other brokers need. `languages`: to make and run the brokers of scripts/brokers.mjs. */
export const toolsOfBrokers = [
  { program: 'nats-server', package: 'nats-server', for: 'the tests against NATS' },
  { program: 'rabbitmq-server', package: 'rabbitmq-server', for: 'the tests against RabbitMQ' },
  { program: 'ejabberdctl', package: 'ejabberd', for: 'the tests against ejabberd' },
  {
    program: 'javac',
    package: 'default-jdk-headless',
    for: 'the tests against moquette and HiveMQ',
    languages: ['java'],
  },
  { program: 'mvn', package: 'maven', for: 'the tests against moquette and HiveMQ', languages: ['java'] },
  { program: 'go', package: 'golang-go', for: 'the tests against mochi', languages: ['go'] },
  { program: 'pip3', package: 'python3-pip', for: 'the tests against amqtt', languages: ['python'] },
];

/** What only the tests that look at Home Assistant's pages need. */
export const browsers = [
  { program: 'chromium', package: 'chromium', for: "the tests that look at Home Assistant's pages" },
];

/** What only the test with a systemd of its own needs. */
export const containers = [
  {
    program: 'systemd-nspawn',
    package: 'systemd-container',
    for: 'the test of the units under a systemd of their own',
  },
];

export function missingTools(wanted = tools) {
  return wanted.filter(tool => which(tool.program) === null);
}

export function canInstall() {
  return process.getuid() === 0 && which('apt-get') !== null;
}

/** Somebody else may be installing something just now. */
const waitForLock = ['-o', 'DPkg::Lock::Timeout=300'];

export async function install(missing) {
  const packages = missing.map(tool => tool.package);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await step('updating the package lists', 'apt-get', ['update', '-q'], env);
  const allowServices = forbidServices();
  try {
    const args = ['install', '-y', '-q', '--no-install-recommends', ...waitForLock, ...packages];
    await step(`installing ${packages.join(', ')}`, 'apt-get', args, env);
  } finally {
    allowServices();
  }
}

/** mosquitto's package would start a broker on port 1883: the tests bring up their own on a free port. */
function forbidServices() {
  const policy = '/usr/sbin/policy-rc.d';
  if (existsSync(policy)) return () => {};
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  return () => rmSync(policy, { force: true });
}
