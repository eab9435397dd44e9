/** The kinds of values that the schema is made of, each with words for a person when it is something else. */
import { z } from 'zod';
import { formatDuration, parseDuration } from '../base/duration.js';

/** What a value is, in words. Never the value itself: it might be a secret in the wrong place. */
export function kindOf(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value === 'boolean') return String(value);
  return typeof value === 'number' ? 'a number' : 'text';
}

/** For `when` of a refinement that looks into a mapping. */
export function isMapping({ value }: { readonly value: unknown }): boolean {
  return typeof value === 'object' && value !== null;
}

type ErrorMap = (issue: { readonly input?: unknown }) => string;

/** Words for a value of the wrong kind. */
export function expected(what: string): ErrorMap {
  return ({ input }) =>
    input === undefined ? `is missing; expected ${what}` : `is ${kindOf(input)}; expected ${what}`;
}

/** Words for a text that is refused, or a value of the wrong kind. */
function textFault(what: string): ErrorMap {
  return ({ input }) =>
    typeof input === 'string' ? `is not allowed; expected ${what}` : expected(what)({ input });
}

export function section<T extends z.ZodRawShape>(shape: T, what = 'a mapping (key: value)') {
  return z.strictObject(shape, { error: expected(what) });
}

export function text(what: string, pattern?: RegExp) {
  const base = z.string({ error: expected(what) });
  return pattern
    ? base.regex(pattern, { error: `is not allowed; expected ${what}` })
    : base.min(1, { error: `is empty text; expected ${what}` });
}

/** A path, absolute or relative to the file that it stands in. NUL cannot be part of one. */
export function path(what: string) {
  return text(what).refine(value => !value.includes('\0'), { error: `holds a NUL; expected ${what}` });
}

export const credential = text(
  'the name of a systemd credential (letters, digits, "_", "-", ".")',
  /^(?!\.)[A-Za-z0-9_.-]{1,255}$/,
);

export const flag = (what: string) => z.boolean({ error: expected(what) });

export function choice<const T extends readonly [string, ...string[]]>(...options: T) {
  const what = options.length === 1 ? options[0] : `one of ${options.join(', ')}`;
  return z.enum(options, {
    error: ({ input }) => {
      if (typeof input === 'string')
        return `${JSON.stringify(input.slice(0, 40))} is not known; expected ${what}`;
      const quoted = options.find(option => typeof input === 'number' && option === String(input));
      return quoted === undefined
        ? expected(what)({ input })
        : `${quoted} is a number here; write it in quotes: "${quoted}"`;
    },
  });
}

export function whole(min: number, max: number) {
  const what = `a whole number from ${min} to ${max}`;
  const error = { error: ({ input }: { input?: unknown }) => `is ${String(input)}; expected ${what}` };
  return z
    .int({ error: numberWords(what) })
    .min(min, error)
    .max(max, error);
}

/** A text, or a whole number in a range, which becomes one. */
export function numberOrText(what: string, pattern: RegExp, min: number, max: number) {
  const number = whole(min, max).transform(String);
  return z.union([text(what, pattern), number], {
    error: ({ input }) =>
      typeof input === 'number' ? `is ${input}; expected ${what}` : textFault(what)({ input }),
  });
}

/** Any number in a range. */
export function factor(min: number, max: number) {
  const what = `a number from ${min} to ${max}`;
  const error = { error: ({ input }: { input?: unknown }) => `is ${String(input)}; expected ${what}` };
  return z
    .number({ error: expected(what) })
    .min(min, error)
    .max(max, error);
}

function numberWords(what: string): ErrorMap {
  return ({ input }) =>
    typeof input === 'number' ? `is ${input}; expected ${what}` : expected(what)({ input });
}

/** A duration in text, in milliseconds when parsed. */
export function duration(min: string, max: string) {
  const what = `a duration such as 250ms, 30s, 5m or 1h30m, from ${min} to ${max}`;
  const minMs = parseDuration(min) ?? 0;
  const maxMs = parseDuration(max) ?? 0;
  const words: ErrorMap = ({ input }) =>
    Number.isSafeInteger(input) && Number(input) >= 0
      ? `${input} has no unit; write ${input}s for seconds or ${input}m for minutes`
      : expected(what)({ input });
  return z.string({ error: words }).transform((value, context) => {
    const ms = parseDuration(value);
    if (ms !== null && ms >= minMs && ms <= maxMs) return ms;
    const shown = JSON.stringify(value.slice(0, 40));
    const wrong =
      ms === null ? `${shown} is not a duration` : `${shown} (${formatDuration(ms)}) is out of range`;
    context.issues.push({ code: 'custom', message: `${wrong}; expected ${what}`, input: value });
    return z.NEVER;
  });
}

/** A text, or a list of them. */
export function texts(
  what: string,
  isOne: (value: string) => boolean,
  isWhole: (values: string[]) => boolean,
) {
  const error = { error: `is not allowed; expected ${what}` };
  const one = z.string({ error: expected(what) }).refine(isOne, error);
  return z
    .union([one.transform(value => [value]), z.array(one, { error: expected(what) }).min(1, error)], {
      error: textFault(what),
    })
    .refine(values => isWhole(values), error);
}
