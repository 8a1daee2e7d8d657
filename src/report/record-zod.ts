/** A record's definition as a zod schema, from which its JSON Schema is made. */
import { z } from 'zod';
import { type AnyFields, type AnyType, type Fields, isOptional } from './record-type.js';

export function zodRecord<R>(fields: Fields<R>): z.ZodObject {
  return z.strictObject(shapeOf(fields as unknown as AnyFields));
}

function shapeOf(fields: AnyFields): Record<string, z.ZodType> {
  const shape: Record<string, z.ZodType> = {};
  for (const [name, field] of Object.entries(fields)) {
    shape[name] = isOptional(field) ? schemaOf(field.optional).optional() : schemaOf(field);
  }
  return shape;
}

function schemaOf(type: AnyType): z.ZodType {
  const schema = plain(type);
  return type.means === undefined ? schema : schema.describe(type.means);
}

function plain(type: AnyType): z.ZodType {
  switch (type.kind) {
    case 'seconds':
      return z.number();
    case 'number':
      return bounded(z.number(), type);
    case 'whole':
      return bounded(z.int(), type);
    case 'text':
      return z.string();
    case 'flag':
      return z.boolean();
    case 'literal':
      return namesOnly(type.values) ? z.enum([...type.values]) : z.literal([...type.values]);
    case 'nameOrNumber':
      return z.union([z.string(), z.int().min(0).max(type.most)]);
    case 'nullable':
      return schemaOf(type.of).nullable();
    case 'list':
      return z.array(schemaOf(type.of));
    case 'map':
      return z.partialRecord(z.enum([...type.keys]), schemaOf(type.of));
    case 'record':
      return z.strictObject(shapeOf(type.fields));
  }
}

function bounded<S extends z.ZodNumber>(
  schema: S,
  { least, most }: { readonly least?: number; readonly most?: number },
): S {
  const above = least === undefined ? schema : schema.min(least);
  return most === undefined ? above : above.max(most);
}

function namesOnly(values: readonly (string | number | boolean)[]): values is readonly string[] {
  return values.every((value) => typeof value === 'string');
}
