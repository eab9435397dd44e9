/** What a kind of sensor is to the rest of the program. A new kind is a file here, a line in `kinds.ts`, and its C++ half. */
import type { ZodType } from 'zod';
import type { SensorReport } from '../../native/index.js';
import type * as schemaFields from '../config/fields.js';
import type { FieldValue, Nature, Proof } from '../core/policy.js';
import type { Cause } from '../core/records.js';

/** The builders of schemas, handed in: the daemon never loads zod. */
export type SchemaFields = typeof schemaFields;

/** What the monitor is given, by the names that the C++ half reads. */
export type SensorFields = Readonly<Record<string, FieldValue>>;

/**
 * One kind of sensor.
 * @typeParam S what its schema makes of the settings.
 * @typeParam F its fields for the monitor.
 */
export interface SensorKind<S, F extends SensorFields> {
  /** The key in `watch:` and the name of the C++ half. */
  readonly kind: string;
  readonly schema: (fields: SchemaFields) => ZodType<S>;
  /** The setting that a plain text stands for, as in `link: ppp0`; null: there is none. */
  readonly shorthand: string | null;
  /** @param resolve makes an absolute path of one that stands in the file of the setting named. */
  readonly fields: (settings: S, resolve: (setting: string, path: string) => string) => F;
  /** The fields that `fields` may give, and what each reason of a loss is by nature: the C++ half says the same, a test compares them. */
  readonly fieldNames: readonly (keyof F & string)[];
  readonly reasons: Readonly<Record<string, Nature>>;
  /** How it is called in messages and in the journal, where it decides what has died: it stays what it was. */
  readonly name: (fields: F) => string;
  /** Whether `sockmon drill` can kill what it watches. */
  readonly canKill: boolean;
  /** What is known while it is up, where that says something about what else fails. */
  readonly proves?: Proof;
  /** What it watches is the network itself, unless the owner says otherwise. */
  readonly isNetwork: (fields: F) => boolean;
  /** Who else restarts what it watches: with a `graceMs` its death is left to that one at first. Without one such a loss is only borne so long. */
  readonly restarter?: string;
  /** For `check`: what is watched, and what counts as its death. */
  readonly words: (fields: F) => string;
  /** Why it died, as the journal has it. */
  readonly cause: (report: Loss) => Cause;
  /** What a person wants to read beside the name of a living one. */
  readonly alive: (report: SensorReport) => string;
}

/** A report with a reason, one of the kind's own. */
export type Loss = SensorReport & { readonly reason: string };

/** A kind among others, whose settings and fields are nobody else's business. */
// biome-ignore lint/suspicious/noExplicitAny: each kind is given back only what it has made itself
export type AnySensorKind = SensorKind<any, any>;
