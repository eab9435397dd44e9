/** From checked settings to the frozen Config, with everything they point to read and checked. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config, MqttSettings, ResourcePolicy, RestartStep, Role, Sensor } from '../core/policy.js';
import { sensorKindOf } from '../sensors/kinds.js';
import { unitName } from '../sensors/unit.js';
import { defaultNode } from '../system/default-node.js';
import { defaultStateDir } from '../system/folders.js';
import { scriptFault } from '../system/script-fault.js';
import {
  nameFindings,
  needsFindings,
  rawSteps,
  shorterThanTimeout,
  stepName,
  tooSmallBudget,
  twinFindings,
} from './cross-checks.js';
import type { Fault, FaultCode } from './faults.js';
import { type Outcome, readCredential, readKey, readPassword, readPem } from './files.js';
import type { Origins } from './issues.js';
import type { Environment } from './layers.js';
import { embeddedDefaults } from './mqtt-schema.js';
import type { ResourceSettings, Settings, StepSettings } from './schema.js';
import { isTree, type Path, type Tree, type TreeValue, valueAt } from './tree.js';

/** The step for units, which most people need instead of a script of their own. */
const restartUnit = fileURLToPath(new URL('../../../config/restart-unit', import.meta.url));

export interface Surroundings {
  readonly origins: Origins;
  readonly environment: Environment;
  readonly cwd: string;
  /** Only looked at, not started: a systemd credential that is not there now may be there then. */
  readonly checkOnly: boolean;
}

/** What stands in files of its own. */
type Secrets = Pick<MqttSettings, 'password' | 'secretFiles'> &
  Pick<MqttSettings['tls'], 'ca' | 'cert' | 'key'> & { readonly commandKey: string | null };

export class Builder {
  readonly faults: Fault[] = [];
  readonly warnings: Fault[] = [];

  constructor(private readonly around: Surroundings) {}

  /** Checks on the raw tree, so that a missing script is told together with every other fault. */
  checkScripts(tree: Tree): void {
    for (const id of Object.keys(resourcesOf(tree))) {
      for (const { path, step } of rawSteps(id, valueAt(tree, ['resources', id, 'restart']))) {
        const place = [...path, 'script'];
        const wrong = isPath(step.script) ? scriptFault(this.resolve(place, step.script)) : null;
        if (wrong !== null) this.fault('SCRIPT', place, wrong);
      }
    }
  }

  /** Checks that look at several settings at once, on the raw tree for the same reason. */
  checkLadders(tree: Tree): void {
    const resources = resourcesOf(tree);
    for (const { path, message } of [
      ...twinFindings(resources),
      ...nameFindings(resources),
      ...needsFindings(resources),
    ])
      this.fault('CONFIG', path, message);
  }

  /** Reads the passwords, keys and certificates that the raw tree names. */
  readSecrets(tree: Tree): Secrets {
    const pem = (key: string, secret: boolean) =>
      this.read(tree, ['mqtt', 'tls', key], path => readPem(path, secret));
    return {
      password: this.secret(tree, ['mqtt'], 'password', readPassword),
      commandKey: this.secret(tree, ['commands'], 'key', readKey),
      ca: pem('ca_file', false),
      cert: pem('cert_file', false),
      key: pem('key_file', true),
      secretFiles: {
        password: this.passwordFile(tree),
        ca: this.path(tree, ['mqtt', 'tls', 'ca_file']),
        cert: this.path(tree, ['mqtt', 'tls', 'cert_file']),
        key: this.path(tree, ['mqtt', 'tls', 'key_file']),
      },
    };
  }

  build(settings: Settings, secrets: Secrets): Config {
    const { environment, cwd } = this.around;
    const stateDir = settings.state_dir
      ? this.resolve(['state_dir'], settings.state_dir)
      : resolve(cwd, defaultStateDir(environment, process.getuid?.() ?? 0));
    const node = settings.node ?? defaultNode(stateDir);
    const { reboot } = settings;
    return {
      node,
      stateDir,
      log: settings.log,
      policy: {
        resources: Object.entries(settings.resources).map(([id, resource]) => this.resource(id, resource)),
        reboot: {
          allowed: reboot.allowed,
          command: reboot.command,
          minUptimeMs: reboot.min_uptime,
          budget: { max: reboot.budget.max, perMs: reboot.budget.per },
          holdOffMs: reboot.hold_off,
          forceCommand: reboot.force_command,
        },
        commands: { enabled: settings.commands.enabled, allowPress: settings.commands.allow_press },
      },
      ...broker(settings, node, secrets),
    };
  }

  private resource(id: string, settings: ResourceSettings): ResourcePolicy {
    const sensors = settings.watch.map((sensor, index) =>
      this.sensor(sensor, ['resources', id, 'watch', index]),
    );
    const role = this.role(id, settings.role, sensors);
    const steps = this.steps(['resources', id, 'restart'], settings.restart);
    const policy: ResourcePolicy = {
      id,
      role,
      sensors,
      steps,
      rebootWhenFailed: settings.reboot ?? (role === 'network' && steps.length > 0),
      restartBudget: { max: settings.restart_budget.max, perMs: settings.restart_budget.per },
      flapping: { max: settings.flapping.deaths, perMs: settings.flapping.per },
      needs: settings.needs,
      fallMs: settings.fall ?? null,
      riseMs: settings.rise,
      settleMs: settings.settle,
    };
    const tooSmall = tooSmallBudget(policy.steps, policy.restartBudget);
    if (tooSmall !== null) this.warn(['resources', id, 'restart'], tooSmall, 'CONFIG');
    for (const step of policy.steps) {
      const tooShort = shorterThanTimeout(step);
      if (tooShort !== null) this.warn(['resources', id, 'restart'], tooShort, 'CONFIG');
    }
    return policy;
  }

  /** Decided here and nowhere else. */
  private role(id: string, wanted: Role | undefined, sensors: readonly Sensor[]): Role {
    if (wanted !== undefined) return wanted;
    if (sensors.some(sensor => sensorKindOf(sensor).isNetwork(sensor.fields))) return 'network';
    if (sensors.some(({ kind }) => kind === 'link')) this.warn(['resources', id], linkIsService, 'CONFIG');
    return 'service';
  }

  private steps(path: Path, restart: ResourceSettings['restart']): RestartStep[] {
    if (Array.isArray(restart)) return restart.map((step, index) => this.step([...path, index], step));
    return restart === undefined ? [] : [this.step(path, restart)];
  }

  private step(path: Path, step: StepSettings): RestartStep {
    return {
      name: stepName(step),
      argv: this.argv(path, step),
      attempts: step.attempts,
      everyMs: step.every,
      backoff: step.backoff,
      timeoutMs: step.timeout,
      graceMs: step.grace,
      journalLines: step.journal_lines,
    };
  }

  private argv(path: Path, { script, unit, args }: StepSettings): string[] {
    if (unit !== undefined)
      return [restartUnit, ...(unit.manager === 'user' ? ['--user'] : []), unitName(unit.name)];
    // The schema has seen to it that it is the one or the other.
    return [this.resolve([...path, 'script'], script ?? ''), ...args];
  }

  private sensor(settings: ResourceSettings['watch'][number], path: Path): Sensor {
    // The schema has seen to it that there is exactly one.
    const [[name, own]] = Object.entries(settings) as [[string, unknown]];
    const kind = sensorKindOf({ kind: name });
    const fields = kind.fields(own, (setting, value) => this.resolve([...path, name, setting], value));
    const { canKill, proves } = kind;
    return { kind: name, name: kind.name(fields), canKill, ...(proves !== undefined && { proves }), fields };
  }

  /** From a file or, where none is named, from a systemd credential. */
  private secret(
    tree: Tree,
    section: Path,
    name: string,
    reader: (path: string) => Outcome<string>,
  ): string | null {
    const file = [...section, `${name}_file`];
    if (valueAt(tree, file) !== undefined) return this.read(tree, file, reader);
    const path = [...section, `${name}_credential`];
    const credential = valueAt(tree, path);
    if (!isPath(credential) || credential.includes('/')) return null;
    const folder = this.around.environment.CREDENTIALS_DIRECTORY;
    const outcome = readCredential(credential, folder, reader, `${name}_file`);
    if ('value' in outcome) return outcome.value;
    if (this.around.checkOnly && !folder) this.warn(path, outcome.fault);
    else this.fault('SECRET', path, outcome.fault);
    return null;
  }

  private passwordFile(tree: Tree): string | null {
    const credential = valueAt(tree, ['mqtt', 'password_credential']);
    const folder = this.around.environment.CREDENTIALS_DIRECTORY;
    const file = this.path(tree, ['mqtt', 'password_file']);
    return file ?? (isPath(credential) && folder ? resolve(folder, credential) : null);
  }

  private path(tree: Tree, path: Path): string | null {
    const name = valueAt(tree, path);
    return isPath(name) ? this.resolve(path, name) : null;
  }

  private read<T>(tree: Tree, path: Path, reader: (path: string) => Outcome<T>): T | null {
    const name = valueAt(tree, path);
    if (!isPath(name)) return null;
    const outcome = reader(this.resolve(path, name));
    if ('fault' in outcome) {
      this.fault('SECRET', path, outcome.fault);
      return null;
    }
    if (outcome.warning) this.warn(path, outcome.warning);
    return outcome.value;
  }

  private resolve(path: Path, value: string): string {
    return resolve(this.around.origins.folderOf(path, this.around.cwd), value);
  }

  private fault(code: FaultCode, path: Path, message: string): void {
    this.faults.push({ code, ...this.around.origins.where(path), message });
  }

  private warn(path: Path, message: string, code: FaultCode = 'SECRET'): void {
    this.warnings.push({ code, ...this.around.origins.where(path), message });
  }
}

const linkIsService =
  'counts as a service, not as the network: its death neither turns "Stack alive" off nor asks for a reboot by itself; write role: network if this machine is cut off without it, else role: service';

function resourcesOf(tree: Tree): Tree {
  const resources = valueAt(tree, ['resources']);
  return isTree(resources) ? resources : {};
}

function isPath(value: TreeValue | undefined): value is string {
  return typeof value === 'string' && value !== '' && !value.includes('\0');
}

function broker(settings: Settings, node: string, secrets: Secrets): Pick<Config, 'mqtt' | 'embeddedBroker'> {
  const { mqtt, commands } = settings;
  if (!mqtt) return { mqtt: null, embeddedBroker: null };
  const embeddedBroker = mqtt.embedded === true ? embeddedDefaults : (mqtt.embedded ?? null);
  const settled = mqttSettings(mqtt, embeddedBroker, node, secrets);
  const responsePrefix = commands.response_prefix ?? `${mqtt.base}/${node}/result/`;
  return {
    mqtt: {
      ...settled,
      commands: { key: secrets.commandKey, responsePrefix: responsePrefix === false ? null : responsePrefix },
    },
    embeddedBroker,
  };
}

function mqttSettings(
  mqtt: NonNullable<Settings['mqtt']>,
  embedded: Config['embeddedBroker'],
  node: string,
  { password, ca, cert, key, secretFiles }: Secrets,
): Omit<MqttSettings, 'commands'> {
  return {
    url: embedded ? `mqtt://${hostInUrl(embedded.host)}:${embedded.port}` : (mqtt.url ?? ''),
    username: mqtt.username ?? null,
    password,
    tls: { ca, cert, key, servername: mqtt.tls?.servername ?? null },
    secretFiles,
    protocol: mqtt.protocol,
    clientId: mqtt.client_id ?? `sockmon-${node}`,
    keepaliveS: mqtt.keepalive / 1000,
    base: mqtt.base,
    discoveryPrefix: mqtt.discovery_prefix === false ? null : mqtt.discovery_prefix,
    suggestedArea: mqtt.suggested_area ?? null,
  };
}

function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
