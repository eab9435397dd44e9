import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
} from 'yaml';
import { errnoWords } from '../base/errno-words.js';
import type { Fault } from './faults.js';
import { writeOutShorthands } from './shorthand.js';
import {
  type ConfigFile,
  isTree,
  type Path,
  type Place,
  type Places,
  pathKey,
  pathWords,
  type Tree,
  type TreeValue,
} from './tree.js';
import { syntaxWords } from './yaml-words.js';

/** 10,000 resources take 0.6 MB at the least. */
const maxBytes = 4 * 1024 * 1024;
/** Keys that mean something to JavaScript objects themselves. */
const reservedKeys = new Set(['__proto__', 'constructor', 'prototype']);

export type FileOutcome = { readonly file: ConfigFile | null; readonly faults: readonly Fault[] };

/** Reads and parses one file. `file` is null when its text is no use at all; other faults leave the rest usable. */
export function readConfigFile(name: string, cwd: string): FileOutcome {
  const absolute = resolve(cwd, name);
  const read = readText(absolute);
  if ('fault' in read) {
    const fault = { code: 'CONFIG_UNREADABLE', file: name, line: null, column: null, key: '' } as const;
    return { file: null, faults: [{ ...fault, message: read.fault }] };
  }
  return parseConfig(read.text, name, dirname(absolute));
}

function readText(path: string): { text: string } | { fault: string } {
  try {
    const fd = openSync(path, 'r');
    try {
      return readOpen(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return { fault: `cannot be read: ${errnoWords(error)}; expected a YAML file` };
  }
}

function readOpen(fd: number): { text: string } | { fault: string } {
  if (fstatSync(fd).isDirectory()) return { fault: 'is a folder; expected a YAML file' };
  const buffer = Buffer.alloc(maxBytes + 1);
  let length = 0;
  while (length < buffer.length) {
    const count = readSync(fd, buffer, length, buffer.length - length, null);
    if (count === 0) break;
    length += count;
  }
  if (length > maxBytes)
    return { fault: `is larger than ${maxBytes / 1024 / 1024} MiB; expected a configuration` };
  const bytes = buffer.subarray(0, length);
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    // TypeError, the only one of a fatal decoder.
    return { fault: 'is not UTF-8 text; expected a YAML file' };
  }
}

/** @param name How the faults call it. @param folder Where its relative paths start. */
export function parseConfig(text: string, name: string, folder: string): FileOutcome {
  const lines = new LineCounter();
  let document: Document.Parsed;
  try {
    // Pretty errors quote the line, and the line may hold a secret.
    document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      logLevel: 'silent',
      uniqueKeys: false,
    });
  } catch {
    // Syntax errors stand in document.errors. What the parser throws instead, such as RangeError where a deep nesting ends its stack,
    // is the text's fault as well.
    return { file: null, faults: [fileFault(name, 'cannot be parsed; is it nested too deeply?')] };
  }
  const reader = new Reader(name, lines);
  for (const error of document.errors) reader.fault([], error.pos[0], syntaxWords(error.code));
  if (document.errors.length > 0) return { file: null, faults: reader.faults };
  writeOutShorthands(document.contents);
  const tree = document.contents === null ? {} : reader.value(document.contents, []);
  if (!isTree(tree)) {
    if (reader.faults.length === 0)
      reader.fault([], 0, 'is not a mapping; expected lines such as "node: gateway"');
    return { file: null, faults: reader.faults };
  }
  return { file: { name, folder, tree, places: reader.places }, faults: reader.faults };
}

function fileFault(file: string, message: string): Fault {
  return { code: 'CONFIG', file, line: null, column: null, key: '', message };
}

/** Turns nodes into plain values. What it refuses is left out of the tree, so that it is complained about once. */
class Reader {
  readonly faults: Fault[] = [];
  readonly places = new Map<string, Places>();

  constructor(
    private readonly file: string,
    private readonly lines: LineCounter,
  ) {}

  fault(path: Path, offset: number, message: string): void {
    const key = pathWords(path);
    this.faults.push({ code: 'CONFIG', file: this.file, ...this.place(offset), key, message });
  }

  /** undefined: refused. */
  value(node: Node, path: Path): TreeValue | undefined {
    const offset = node.range?.[0] ?? 0;
    if (isAlias(node)) return this.refuse(path, offset, 'is an alias (*); write the value out');
    if (node.anchor)
      return this.refuse(path, offset, 'has an anchor (&); write the value out where it is used');
    if (node.tag && !node.tag.startsWith('tag:yaml.org,2002:'))
      return this.refuse(path, offset, 'has a tag (!); remove it');
    if (isMap(node)) return this.mapping(node.items as Pair<Node, Node | null>[], path);
    if (isSeq(node)) return this.list(node.items, path);
    return isScalar(node) ? this.scalar(node.value, path, offset) : undefined;
  }

  private scalar(value: unknown, path: Path, offset: number): TreeValue | undefined {
    if (value === null)
      return this.refuse(path, offset, 'is empty; give it a value, or remove the line for its default');
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
    return this.refuse(path, offset, 'is a kind of value that has no use here; expected text or a number');
  }

  private list(items: readonly unknown[], path: Path): TreeValue[] {
    return items.map((item, index) => {
      if (!isNode(item)) return null;
      const inner = [...path, index];
      const place = this.place(item.range?.[0] ?? 0);
      this.places.set(pathKey(inner), { key: place, value: place });
      // A refused item keeps its index, so that the places of the others stay true.
      return this.value(item, inner) ?? null;
    });
  }

  private mapping(items: readonly Pair<Node, Node | null>[], path: Path): Tree {
    const tree: Tree = {};
    for (const { key, value } of items) {
      const offset = key.range?.[0] ?? 0;
      if (!isScalar(key) || key.value === null || key.value === '') {
        this.refuse(path, offset, 'has a key that is not a word; expected a name before the ":"');
        continue;
      }
      const name = String(key.source ?? key.value);
      const inner = [...path, name];
      if (reservedKeys.has(name)) this.refuse(inner, offset, 'cannot be used as a name; choose another');
      else if (this.places.has(pathKey(inner)))
        this.refuse(inner, offset, 'stands here a second time; remove one of the two');
      else this.entry(tree, inner, offset, value);
    }
    return tree;
  }

  private entry(tree: Tree, path: Path, keyOffset: number, node: Node | null): void {
    // An empty value has no place of its own worth pointing at.
    const isEmpty = isScalar(node) && node.value === null;
    const valueOffset = isEmpty ? keyOffset : (node?.range?.[0] ?? keyOffset);
    this.places.set(pathKey(path), { key: this.place(keyOffset), value: this.place(valueOffset) });
    const value = node === null || isEmpty ? this.scalar(null, path, keyOffset) : this.value(node, path);
    if (value !== undefined) tree[String(path.at(-1))] = value;
  }

  private refuse(path: Path, offset: number, message: string): undefined {
    this.fault(path, offset, message);
  }

  private place(offset: number): Place {
    const { line, col } = this.lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }
}
