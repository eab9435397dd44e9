/** A configuration file as plain values, with the place of each of them. */

export type Tree = { [key: string]: TreeValue };
export type TreeValue = string | number | boolean | null | TreeValue[] | Tree;
export type Path = readonly (string | number)[];

export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Where a value stands, and where its key does. */
export interface Places {
  readonly key: Place;
  readonly value: Place;
}

export interface ConfigFile {
  /** As the user named it. */
  readonly name: string;
  /** Absolute. Relative paths in the file start here. */
  readonly folder: string;
  readonly tree: Tree;
  readonly places: ReadonlyMap<string, Places>;
}

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A key for maps. NUL cannot occur in YAML text. */
export function pathKey(path: readonly PropertyKey[]): string {
  return path.map(String).join('\0');
}

/** `watch[0].process`, as a person would say it. */
export function pathWords(path: readonly PropertyKey[]): string {
  return path.reduce<string>((words, key) => {
    if (typeof key === 'number') return `${words}[${key}]`;
    return words === '' ? String(key) : `${words}.${String(key)}`;
  }, '');
}

export function valueAt(tree: TreeValue | undefined, path: readonly PropertyKey[]): TreeValue | undefined {
  let value = tree;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    if (!Object.hasOwn(value, key)) return undefined;
    value = (value as Tree)[String(key)];
  }
  return value;
}

/** Mappings key by key, the later one wins; anything else is replaced as a whole. */
export function merge(earlier: Tree, later: Tree): Tree {
  const merged: Tree = { ...earlier };
  for (const [key, value] of Object.entries(later)) {
    const before = merged[key];
    merged[key] = isTree(before) && isTree(value) ? merge(before, value) : value;
  }
  return merged;
}
