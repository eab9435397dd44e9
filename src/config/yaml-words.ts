import type { ErrorCode } from 'yaml';

/** The parser's own words may quote the text, and the text may hold a secret: so these are ours. */
const words: Partial<Record<ErrorCode, string>> = {
  ALIAS_PROPS: 'is an alias (*); write the value out',
  BAD_ALIAS: 'is an alias (*); write the value out',
  BAD_DQ_ESCAPE: 'text in double quotes holds an unknown "\\" sequence; use single quotes, or write "\\\\"',
  BAD_INDENT: 'the indentation is wrong; expected the keys of one mapping to begin in the same column',
  BAD_SCALAR_START: 'text cannot begin with this character; put it in quotes',
  BLOCK_AS_IMPLICIT_KEY:
    'a mapping cannot begin here; is a line break missing, or is there one ":" too many?',
  BLOCK_IN_FLOW: 'lines with "-" or "key:" cannot stand inside brackets; is a bracket left open?',
  MISSING_CHAR: 'a character is missing; is a quote, a bracket, a comma or the space after ":" left out?',
  MULTILINE_IMPLICIT_KEY: 'a ":" is missing; expected "key: value" on one line',
  MULTIPLE_DOCS: 'a second document begins here (---); expected one per file',
  TAB_AS_INDENT: 'a tab is used as indentation; use spaces',
  TAG_RESOLVE_FAILED: 'a tag (!) or a value that cannot be understood; remove the tag',
  UNEXPECTED_TOKEN: 'this cannot stand here; is a quote or a bracket missing or one too many?',
};

export function syntaxWords(code: ErrorCode): string {
  return words[code] ?? `this is not valid YAML (${code})`;
}
