/** mosquitto, by both versions of MQTT. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { forbiddenTopics, type Maker, Program, password, username, versionOf, withSbin } from './broker.js';
import { play } from './story.js';

async function mosquitto(folder: string, port: number): Promise<Maker> {
  const [configuration, users, rights] = ['mosquitto.conf', 'users', 'rights'].map(name =>
    join(folder, name),
  );
  const file = configuration as string;
  execFileSync('mosquitto_passwd', ['-c', '-b', users as string, username, password], { stdio: 'ignore' });
  const denied = forbiddenTopics.map(topic => `topic deny ${topic}`);
  writeFileSync(rights as string, [`user ${username}`, 'topic readwrite #', ...denied, ''].join('\n'));
  const lines = [
    'user root',
    `listener ${port} 127.0.0.1`,
    'allow_anonymous false',
    `password_file ${users}`,
    `acl_file ${rights}`,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  return new Program(folder, port, ['mosquitto', '-c', file], withSbin());
}

const kind = {
  username,
  retainsForWildcards: true,
  retainsOverRestart: false,
  retainsWill: true,
  dots: 'kept',
  forbiddenWill: 'taken',
  takeOver: 'hangs up',
  programs: ['mosquitto', 'mosquitto_passwd'],
  version: () => versionOf(['sh', '-c', 'mosquitto -h | head -n 1']),
  make: mosquitto,
} as const;

await play({
  name: 'mosquitto',
  setting: 'auto',
  protocol: '5',
  forbidden: 'said',
  ...kind,
});
await play({
  name: 'mosquitto by 3.1.1',
  setting: '3.1.1',
  protocol: '3.1.1',
  forbidden: 'swallowed',
  ...kind,
});
