/**
 * Shapes of data from outside: one definition gives the check and the type. The configuration is zod's, in a process that ends; in
 * the daemon zod would stay, with 6 MB of resident memory. A test holds the two against each other.
 */

/** Why a value does not have a shape, and where in it. */
export class Mismatch {
  constructor(
    readonly expected: string,
    readonly path: readonly string[] = [],
  ) {}

  under(key: string): Mismatch {
    return new Mismatch(this.expected, [key, ...this.path]);
  }

  /** `key.inner: what was expected` */
  get words(): string {
    return this.path.length === 0 ? this.expected : `${this.path.join('.')}: ${this.expected}`;
  }
}

/** Total: any value gives a copy of what belongs to the shape, or a Mismatch. */
export type Shape<T> = (value: unknown) => T | Mismatch;
export type TypeOf<S> = S extends Shape<infer T> ? Exclude<T, Mismatch> : never;

type Fields = Readonly<Record<string, Shape<unknown>>>;
type Optional<F extends Fields> = { [K in keyof F]: undefined extends TypeOf<F[K]> ? K : never }[keyof F];
type ObjectOf<F extends Fields> = { [K in Exclude<keyof F, Optional<F>>]: TypeOf<F[K]> } & {
  [K in Optional<F>]?: TypeOf<F[K]>;
};
type Flat<T> = { [K in keyof T]: T[K] };

export const boolean: Shape<boolean> = value =>
  typeof value === 'boolean' ? value : new Mismatch('expected boolean');

export const number: Shape<number> = value =>
  typeof value === 'number' && Number.isFinite(value) ? value : new Mismatch('expected number');

/** From 1, and exact. */
export const ordinal: Shape<number> = value =>
  typeof value === 'number' && Number.isSafeInteger(value) && value > 0
    ? value
    : new Mismatch('expected a whole number from 1');

export const string: Shape<string> = value =>
  typeof value === 'string' ? value : new Mismatch('expected string');

/** A string for which `test` holds; `expected` says which these are. */
export function text(test: (value: string) => boolean, expected: string): Shape<string> {
  return value => (typeof value === 'string' && test(value) ? value : new Mismatch(`expected ${expected}`));
}

export function oneOf<const T extends string | number>(...values: readonly T[]): Shape<T> {
  const expected = `expected ${values.map(value => JSON.stringify(value)).join('|')}`;
  return value => values.find(known => known === value) ?? new Mismatch(expected);
}

export function optional<T>(shape: Shape<T>): Shape<T | undefined> {
  return value => (value === undefined ? undefined : shape(value));
}

export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return value => (value === null ? null : shape(value));
}

export function array<T>(shape: Shape<T>): Shape<T[]> {
  return value => {
    if (!Array.isArray(value)) return new Mismatch('expected array');
    const copy: T[] = [];
    for (const [index, item] of value.entries()) {
      const read = shape(item);
      if (read instanceof Mismatch) return read.under(String(index));
      copy.push(read);
    }
    return copy;
  };
}

/** Keys that are not in `fields` are left out of the copy. */
export function object<const F extends Fields>(fields: F): Shape<Flat<ObjectOf<F>>> {
  return value => {
    if (!isObject(value)) return new Mismatch('expected object');
    const copy: Record<string, unknown> = {};
    for (const [key, shape] of Object.entries(fields)) {
      const read = shape(Object.hasOwn(value, key) ? value[key] : undefined);
      if (read instanceof Mismatch) return read.under(key);
      if (read !== undefined) copy[key] = read;
    }
    return copy as Flat<ObjectOf<F>>;
  };
}

/** As object(), and a key that is not in `fields` is a mismatch. */
export function strictObject<const F extends Fields>(fields: F): Shape<Flat<ObjectOf<F>>> {
  const known = object(fields);
  return value => {
    const extra = isObject(value) ? Object.keys(value).find(key => !Object.hasOwn(fields, key)) : undefined;
    return extra === undefined ? known(value) : new Mismatch(`unknown key ${JSON.stringify(extra)}`);
  };
}

/** An object whose key `tag` says which of the variants it is. */
export function tagged<Tag extends string, const V extends Readonly<Record<string, Fields>>>(
  tag: Tag,
  variants: V,
  make: (fields: Fields) => Shape<unknown> = object,
): Shape<{ [K in keyof V & string]: Flat<{ [T in Tag]: K } & ObjectOf<V[K]>> }[keyof V & string]> {
  const names = oneOf(...Object.keys(variants));
  const shapes = new Map(
    Object.entries(variants).map(([name, fields]) => [name, make({ [tag]: oneOf(name), ...fields })]),
  );
  return value => {
    if (!isObject(value)) return new Mismatch('expected object');
    const name = names(Object.hasOwn(value, tag) ? value[tag] : undefined);
    if (name instanceof Mismatch) return name.under(tag);
    return shapes.get(name)?.(value) as never;
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
