/** The `commands` section of the schema: who may command by the broker, and where the answers go. */
import { z } from 'zod';
import { credential, flag, path, section, text } from './fields.js';

const prefixWords = 'a topic without "+" and "#" that ends with "/", such as sockmon/gateway/result/';

const base = section({
  enabled: flag('true or false').prefault(true),
  key_file: path('the path of a file that holds the key').optional(),
  key_credential: credential.optional(),
  allow_press: flag('true or false').prefault(false),
  response_prefix: z
    .union([z.literal(false), text(prefixWords, /^[^+#$/\p{Cc}][^+#$\p{Cc}]{0,126}\/$/u)], {
      error: `is not understood; expected ${prefixWords}, or false for no answers on topics of the sender's`,
    })
    .optional(),
});

/** They look only at what is present: all faults are told at once. */
const present = ({ value }: { readonly value: unknown }): boolean =>
  typeof value === 'object' && value !== null;

export const commandsSchema = base
  .refine(commands => commands.key_file === undefined || commands.key_credential === undefined, {
    path: ['key_credential'],
    error: 'stands beside key_file; expected exactly one of the two',
    when: present,
  })
  .refine(
    commands =>
      commands.allow_press !== true ||
      commands.key_file !== undefined ||
      commands.key_credential !== undefined,
    {
      path: ['allow_press'],
      error: 'has no meaning without a key: unsigned commands are taken anyway; remove it, or give key_file',
      when: present,
    },
  );
