/** Writes the shorthands out, on the nodes of the document, so that every value keeps the place where its user wrote it. */
import { isMap, isScalar, isSeq, type Node, Pair, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import { findSensorKind } from '../sensors/kinds.js';

function at<T extends Node>(node: T, origin: Node): T {
  node.range = origin.range ?? null;
  return node;
}

function mapping(origin: Node, key: string, value: Node): YAMLMap {
  const map = at(new YAMLMap(), origin);
  map.items.push(new Pair(at(new Scalar(key), origin), value));
  return map;
}

const empty = (origin: Node): YAMLMap => at(new YAMLMap(), origin);

function isText(node: unknown): node is Scalar<string> {
  return isScalar(node) && typeof node.value === 'string';
}

/** A link without a name, as it was written before there was `uplink`. */
function isUplink(link: unknown): boolean {
  if (isText(link)) return link.value === 'default';
  if (!isMap(link)) return isScalar(link) && link.value === null;
  const name = link.get('interface');
  return name === undefined || name === 'default';
}

/** `uplink` for a link without a name: whatever carries the traffic. */
function nameUplinks(sensor: YAMLMap): void {
  for (const pair of sensor.items) {
    if (!isText(pair.key) || pair.key.value !== 'link' || !isUplink(pair.value)) continue;
    if (isMap(pair.value)) pair.value.delete('interface');
    else pair.value = empty(pair.key);
    pair.key = at(new Scalar('uplink'), pair.key);
  }
}

/** `link: ppp0` for `link: {interface: ppp0}`, where the kind has such a shorthand. */
function writeOutSensor(sensor: YAMLMap): void {
  for (const pair of sensor.items) {
    if (!isText(pair.key) || !isText(pair.value)) continue;
    const shorthand = findSensorKind(pair.key.value)?.shorthand;
    if (shorthand != null) pair.value = mapping(pair.value, shorthand, pair.value);
  }
}

/** `tcpip` for a stack and an uplink sensor, `stack` and `uplink` for themselves with their defaults. */
function sensorsOf(item: Node): Node[] {
  if (isText(item)) {
    const names =
      item.value === 'tcpip' ? ['stack', 'uplink'] : [item.value === 'link' ? 'uplink' : item.value];
    return names.map(name => mapping(item, name, empty(item)));
  }
  if (isMap(item)) {
    nameUplinks(item);
    writeOutSensor(item);
  }
  return [item];
}

/** `watch: X` for `watch: [X]`. */
function watchOf(node: Node): Node {
  if (!isText(node) && !isMap(node) && !isSeq(node)) return node;
  const items = (isSeq(node) ? node.items : [node]) as Node[];
  const list = at(new YAMLSeq(), node);
  list.items.push(...items.flatMap(sensorsOf));
  return list;
}

/** `restart: ./script` for `restart: {script: ./script}`, `unit: x` for `unit: {name: x}`, also within a list of steps. */
function restartOf(node: Node): Node {
  if (isSeq(node)) node.items = node.items.map(item => restartOf(item as Node));
  rewrite(node, 'unit', unit => (isText(unit) ? mapping(unit, 'name', unit) : unit));
  return isText(node) ? mapping(node, 'script', node) : node;
}

/** `needs: tcpip` for `needs: [tcpip]`. */
function needsOf(node: Node): Node {
  if (!isText(node)) return node;
  const list = at(new YAMLSeq(), node);
  list.items.push(node);
  return list;
}

/** The value of one key, replaced in place. */
function rewrite(map: unknown, key: string, change: (node: Node) => Node): void {
  if (!isMap(map)) return;
  for (const pair of map.items)
    if (isText(pair.key) && pair.key.value === key && pair.value) pair.value = change(pair.value as Node);
}

export function writeOutShorthands(root: Node | null): void {
  rewrite(root, 'resources', resources => {
    for (const pair of isMap(resources) ? resources.items : []) {
      rewrite(pair.value, 'watch', watchOf);
      rewrite(pair.value, 'restart', restartOf);
      rewrite(pair.value, 'needs', needsOf);
    }
    return resources;
  });
}
