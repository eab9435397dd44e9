/** The lines of the journal: encoding, and a reader that believes nothing. Pure but for zlib's crc32 (Node 20.15+). */
import { crc32 } from 'node:zlib';
import { Mismatch } from '../base/shape.js';
import { type JournalEntry, recordShape, type Stamp, stampShape } from '../core/records.js';

export interface Damage {
  readonly offset: number;
  readonly bytes: Buffer;
}

export interface ParsedJournal {
  readonly entries: JournalEntry[];
  /** Every intact line, the unknown ones too, as it stands in the file. */
  readonly goodLines: string[];
  readonly damage: Damage[];
  readonly unknownLines: number;
  readonly lastSeq: number;
}

export function encodeLine(entry: JournalEntry): string {
  const json = JSON.stringify(entry);
  return `${checksum(Buffer.from(json))} ${json}\n`;
}

function checksum(bytes: Buffer): string {
  return crc32(bytes).toString(16).padStart(8, '0');
}

export function parseJournal(bytes: Buffer): ParsedJournal {
  const parsed = {
    entries: [] as JournalEntry[],
    goodLines: [] as string[],
    damage: [] as Damage[],
    unknownLines: 0,
    lastSeq: 0,
  };
  let offset = 0;
  while (offset < bytes.length) {
    const newline = bytes.indexOf(0x0a, offset);
    const end = newline === -1 ? bytes.length : newline + 1;
    const line = bytes.subarray(offset, end);
    const intact = newline === -1 ? null : parseLine(line, parsed.lastSeq);
    if (intact === null) {
      addDamage(parsed.damage, offset, line);
    } else {
      const { stamp, value } = intact;
      parsed.lastSeq = stamp.seq;
      parsed.goodLines.push(line.toString());
      const record = recordShape(value);
      if (record instanceof Mismatch) parsed.unknownLines++;
      else parsed.entries.push({ ...stamp, ...record });
    }
    offset = end;
  }
  return parsed;
}

/** Adjacent damage is one piece, so that a torn tail with newlines in it is still a tail. */
function addDamage(damage: Damage[], offset: number, bytes: Buffer): void {
  const last = damage.at(-1);
  if (last !== undefined && last.offset + last.bytes.length === offset) {
    damage[damage.length - 1] = { offset: last.offset, bytes: Buffer.concat([last.bytes, bytes]) };
  } else {
    damage.push({ offset, bytes: Buffer.from(bytes) });
  }
}

/** The JSON of a line whose checksum is right and whose number is greater than the last; else null. */
function parseLine(line: Buffer, lastSeq: number): { stamp: Stamp; value: unknown } | null {
  if (line.length < 11 || line[8] !== 0x20) return null;
  const json = line.subarray(9, -1);
  if (line.subarray(0, 8).toString('latin1') !== checksum(json)) return null;
  let value: unknown;
  try {
    value = JSON.parse(json.toString());
  } catch {
    // SyntaxError: a damaged line, which the caller puts aside.
    return null;
  }
  const stamp = stampShape(value);
  return stamp instanceof Mismatch || stamp.seq <= lastSeq ? null : { stamp, value };
}
