/** `npm run demo [-- --json]`: a real TCP/IP stack dies in a network namespace, sockmon brings it back and tells a broker outside. */
import { parseArgs } from 'node:util';
import type { Daemon } from '../test/lab/daemon.js';
import { Lab } from '../test/lab/lab.js';
import { becomeRoot, labObstacle, labPrograms } from '../test/lab/root.js';
import { startEmbeddedBroker } from './embedded-broker.js';
import { type Look, messageList, paint, timeline } from './render.js';
import { type Elapsed, playStory, type Story } from './story.js';

const usage = `usage: npm run demo [-- --json]

Makes a network namespace whose only way out is slirp4netns, a TCP/IP stack in user space, starts sockmon in it with a broker
outside, kills the stack, and shows what happens. The network of this machine is not touched.

  --json   print one JSON object instead
  --help   print this
`;

const look: Look = {
  color: Boolean(process.stdout.isTTY) && !process.env.NO_COLOR,
  columns: process.stdout.columns ?? 120,
};

async function demo(isJson: boolean): Promise<number> {
  await becomeRoot();
  const obstacle = labObstacle(labPrograms);
  if (obstacle !== null) {
    process.stderr.write(`The demo cannot run here: ${obstacle}\n`);
    return 69;
  }
  const say = (line: string) => {
    if (!isJson) process.stdout.write(`${line}\n`);
  };
  say('A network namespace; its only way out is slirp4netns, a TCP/IP stack in a process of its own …');
  const lab = await Lab.open();
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => reject(new Interruption(signal)));
  });
  try {
    const story = await Promise.race([play(lab, say), interrupted]);
    if (isJson) process.stdout.write(`${JSON.stringify(story)}\n`);
    else
      say(
        `\n${timeline(story, look)}\n\n${messageList(story, look)}\n\nThat is all; everything is removed again.`,
      );
    return 0;
  } catch (error) {
    if (!(error instanceof Interruption)) throw error;
    say('Stopped; everything is removed again.');
    return error.signal === 'SIGINT' ? 130 : 143;
  } finally {
    await lab.close();
  }
}

class Interruption extends Error {
  constructor(readonly signal: 'SIGINT' | 'SIGTERM') {
    super(signal);
  }
}

async function play(lab: Lab, say: (line: string) => void): Promise<Story> {
  const witness = await openWitness(lab, say);
  const script = lab.restartScript();
  const daemon: Daemon = lab.run({
    resources: { tcpip: lab.resource(script) },
    mqtt: { url: lab.brokerUrl(witness) },
  });
  return playStory(lab, daemon, witness, (step, kill) => {
    if (step === 'watching')
      say(`sockmon watches it from inside (pid ${daemon.pid}), and has told the broker so.`);
    else say(paint(look, 'red', `kill -KILL ${kill?.pid}: the stack is dead.`));
  });
}

async function openWitness(lab: Lab, say: (line: string) => void): Promise<Elapsed> {
  if (labObstacle(['mosquitto']) === null) {
    const broker = await lab.startBroker();
    say(`mosquitto outside, on 127.0.0.1:${broker.port}; sockmon reaches it through the stack only.`);
    const recorder = await lab.record(broker.port);
    return {
      port: broker.port,
      messages: recorder.messages,
      until: (what, matches) => recorder.until(what, matches),
    };
  }
  const broker = await startEmbeddedBroker();
  lab.onClose(() => broker.close());
  say(`A broker outside, on 127.0.0.1:${broker.port} (mosquitto is not installed, so the embedded one).`);
  return broker;
}

// `npm run demo --json`, without the `--`, gives the option to npm, which passes it on like this.
const isNpmJson = process.env.npm_config_json === 'true';
const given = parse();
if (given === null || given.help) (given === null ? process.stderr : process.stdout).write(usage);
process.exit(given === null ? 64 : given.help ? 0 : await demo(given.json ?? isNpmJson));

/** null: an argument that does not exist. */
function parse() {
  try {
    return parseArgs({ options: { json: { type: 'boolean' }, help: { type: 'boolean' } } }).values;
  } catch {
    // TypeError of parseArgs: the caller shows the usage.
    return null;
  }
}
