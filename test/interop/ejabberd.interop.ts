/** ejabberd, whose users are those of its chat: `sockmon@localhost`. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Maker, Program, packageVersionOf, password } from './broker.js';
import { play } from './story.js';

const [user, host] = ['sockmon', 'localhost'] as const;

/** Whatever one rule allows is allowed, whatever another one denies: so all but the forbidden topics are named. */
const allowed = [
  ...['mark/#', 'homeassistant/#', 'sockmon/lab/#'],
  ...['status', 'state', 'event', 'resource/#', 'result/#'].map(level => `sockmon/bound/${level}`),
];
const rights = Object.fromEntries(allowed.map(filter => [filter, [{ allow: 'all' }]]));

/**
 * Debian's ejabberdctl changes to a user and to folders of the machine, and starts Erlang's name server, which would stay: so it is Erlang
 * that is started, as a node without a name. Its user is made at each start, since its store of users is there only then.
 */
async function ejabberd(folder: string, port: number): Promise<Maker> {
  const file = join(folder, 'ejabberd.yml');
  mkdirSync(join(folder, 'mnesia'));
  const configuration = {
    hosts: [host],
    loglevel: 'warning',
    listen: [{ port, ip: '127.0.0.1', module: 'mod_mqtt', backlog: 100 }],
    auth_method: ['internal'],
    modules: { mod_mqtt: { access_publish: rights } },
  };
  // JSON is a part of YAML.
  writeFileSync(file, JSON.stringify(configuration));
  const register = `ejabberd_auth:try_register(<<"${user}">>, <<"${host}">>, <<"${password}">>)`;
  const argv = [
    ...['erl', '-noinput', '-mnesia', 'dir', `"${join(folder, 'mnesia')}"`, '-s', 'ejabberd'],
    ...['-eval', `${register}, io:format("ready~n").`],
  ];
  const env = {
    ERL_LIBS: libraries(),
    EJABBERD_CONFIG_PATH: file,
    EJABBERD_LOG_PATH: join(folder, 'log'),
    HOME: folder,
  };
  return new Program(folder, port, argv, env, 'ready');
}

/** Its folder is named by the processor and the version. */
function libraries(): string {
  const files = execFileSync('dpkg-query', ['--listfiles', 'ejabberd'], { encoding: 'utf8' }).split('\n');
  const app = files.find(file => file.endsWith('/ebin/ejabberd.app'));
  if (app === undefined) throw new Error('the package ejabberd has no ejabberd.app');
  return dirname(dirname(dirname(app)));
}

await play({
  name: 'ejabberd',
  setting: 'auto',
  protocol: '5',
  username: `${user}@${host}`,
  retainsForWildcards: true,
  retainsOverRestart: true,
  retainsWill: true,
  dots: 'kept',
  forbidden: 'said',
  forbiddenWill: 'refused',
  takeOver: 'said',
  programs: ['ejabberdctl', 'erl'],
  version: () => packageVersionOf('ejabberd'),
  make: ejabberd,
});
