/** RabbitMQ with its MQTT plugin. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../mqtt/mosquitto.js';
import {
  forbiddenTopics,
  type Maker,
  Program,
  packageVersionOf,
  password,
  username,
  withSbin,
} from './broker.js';
import { play } from './story.js';

/**
 * Debian's /usr/sbin/rabbitmq-server changes to a user and to folders of the machine; the script behind it does as it is told. Erlang's
 * name server (epmd) would be started by RabbitMQ, on every address, and stay: here it is ours. All ports are on loopback.
 */
async function rabbitmq(folder: string, port: number): Promise<Maker> {
  const [epmdPort, distributionPort] = [await freePort(), await freePort()];
  const rights = join(folder, 'rights.json');
  const configuration = [
    'listeners.tcp = none',
    `mqtt.listeners.tcp.1 = 127.0.0.1:${port}`,
    'mqtt.allow_anonymous = false',
    `load_definitions = ${rights}`,
  ];
  writeFileSync(join(folder, 'rabbitmq.conf'), `${configuration.join('\n')}\n`);
  writeFileSync(join(folder, 'enabled_plugins'), '[rabbitmq_mqtt].\n');
  writeFileSync(rights, JSON.stringify(definitions()));
  for (const name of ['mnesia', 'log']) mkdirSync(join(folder, name));
  const env = {
    ...withSbin(),
    HOME: folder,
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(epmdPort),
    // Erlang runs without a shell then, and without a second process around it.
    RUNNING_UNDER_SYSTEMD: '1',
    RABBITMQ_NODENAME: `sockmon-test-${process.pid}@localhost`,
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_CONF_ENV_FILE: join(folder, 'none'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_PID_FILE: join(folder, 'pid'),
  };
  const names = new Program(
    folder,
    epmdPort,
    ['epmd', '-address', '127.0.0.1', '-port', String(epmdPort)],
    env,
  );
  const server = new Program(folder, port, ['/usr/lib/rabbitmq/bin/rabbitmq-server'], env);
  return {
    async start() {
      await names.start();
      await server.start();
    },
    async stop() {
      await server.stop();
      await names.stop();
    },
  };
}

/** It has a dot where MQTT has a slash. Its patterns are Perl's, so that all but some can be allowed. */
function definitions(): object {
  const forbidden = forbiddenTopics.map(topic => topic.replaceAll('/', '[.]')).join('|');
  const here = { user: username, vhost: '/' };
  return {
    vhosts: [{ name: '/' }],
    users: [{ name: username, password, tags: [] }],
    permissions: [{ ...here, configure: '.*', write: '.*', read: '.*' }],
    topic_permissions: [{ ...here, exchange: 'amq.topic', write: `^(?!(${forbidden})$)`, read: '.*' }],
  };
}

await play({
  name: 'RabbitMQ with its MQTT plugin',
  setting: 'auto',
  protocol: '3.1.1',
  username,
  retainsForWildcards: false,
  retainsOverRestart: true,
  retainsWill: true,
  dots: 'a slash',
  forbidden: 'hangs up',
  forbiddenWill: 'taken',
  takeOver: 'hangs up',
  programs: ['rabbitmq-server', 'epmd'],
  version: () => packageVersionOf('rabbitmq-server'),
  make: rabbitmq,
});
