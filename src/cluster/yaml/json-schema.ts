/**
 * JSON Schema (draft 2020-12) of what may be written, made from the zod schemas that read it, so that an editor
 * and the reader cannot disagree. A description that nobody wrote is the words with which the reader refuses
 * other values ("expected a duration like 250ms, …").
 */
import { z } from 'zod';

export type JsonSchema = Record<string, unknown>;

export function jsonSchemaOf(schema: z.ZodType, title: string, description: string): JsonSchema {
  const made = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io: 'input',
    // what only a transformation checks, such as the text of an address, is not expressible
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      const { def } = zodSchema._zod;
      // zod leaves out a default behind a transformation; ours are seconds, which may be written as such
      const initial = def.type === 'default' ? (def as z.core.$ZodDefaultDef).defaultValue : undefined;
      if (typeof initial === 'number') jsonSchema.default ??= initial;
      const words = refusalOf(zodSchema);
      if (jsonSchema.description === undefined && words !== null) jsonSchema.description = words;
    },
  });
  const { $schema, ...rest } = made as JsonSchema;
  return { $schema, title, ...rest, description };
}

/** "a duration like 250ms, …", or null where the schema has no words of its own or they say only its type. */
function refusalOf(schema: z.core.$ZodType): string | null {
  // the type of issue that a schema words depends on the schema, which is any here
  const error = schema._zod.def.error as ((issue: { readonly code: string }) => unknown) | undefined;
  const said = error?.({ code: 'custom' });
  const words = typeof said === 'string' ? /^expected (.+)$/su.exec(said)?.[1] : undefined;
  return words === undefined || words === 'a mapping' || words === 'a list' ? null : words;
}
