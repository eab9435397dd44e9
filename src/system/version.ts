import { createRequire } from 'node:module';

/** From package.json, the one place where it stands. */
export const version = (createRequire(import.meta.url)('../../../package.json') as { version: string })
  .version;
