/** HiveMQ's Community Edition. Its data lie in a folder. */
import {
  forbiddenTopics,
  javaCommand,
  type Maker,
  Program,
  password,
  pinnedVersion,
  username,
} from './broker.js';
import { play } from './story.js';

/** Packages of Java's that it reaches into, as its own start script has them. */
const opened = ['java.lang', 'java.nio', 'sun.nio.ch', 'sun.security.provider'];

async function hivemq(folder: string, port: number): Promise<Maker> {
  const options = opened.flatMap(name => ['--add-opens', `java.base/${name}=ALL-UNNAMED`]);
  const arguments_ = [String(port), folder, username, password, ...forbiddenTopics];
  return new Program(folder, port, [...javaCommand('hivemq', options), ...arguments_], {}, 'ready');
}

await play({
  name: 'HiveMQ Community Edition',
  setting: 'auto',
  protocol: '5',
  username,
  retainsForWildcards: true,
  retainsOverRestart: true,
  retainsWill: true,
  dots: 'kept',
  forbidden: 'hangs up',
  forbiddenWill: 'refused',
  takeOver: 'said',
  programs: ['java'],
  fetched: 'hivemq',
  version: () => pinnedVersion('hivemq', 'pom.xml', /-embedded<.*\s+<version>([^<]+)/),
  make: hivemq,
});
