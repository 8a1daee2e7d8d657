/** Parts that the JSON reports of replay and of explain share, as zod schemas. */
import { z } from 'zod';

/** A whole number from 0. */
export const count = z.int().min(0);
/** Seconds since t = 0; before it is negative. */
export const seconds = z.number().describe('seconds since t = 0');
export const share = z.number().min(0).max(1).nullable();
export const sentences = z.array(z.string());

export function oneOfKeys<K extends string>(table: Readonly<Record<K, unknown>>) {
  return z.enum(Object.keys(table) as [K, ...K[]]);
}

/** A mapping in which every value has the sentence that `table` says of its key. */
export function countsBy(table: Readonly<Record<string, string>>) {
  const entries = Object.entries(table).map(([key, means]) => [key, count.describe(means).optional()]);
  return z.strictObject(Object.fromEntries(entries) as Record<string, z.ZodOptional<typeof count>>);
}

export const captureSchema = z.strictObject({
  file: z.string(),
  format: z.string(),
  linkTypes: z.array(z.string()),
  packets: count,
  bytes: count,
  startTime: z.number().describe('seconds since 1970 of the first packet'),
  t0: z.number().describe('seconds since 1970 of t = 0, from which every time of the report counts'),
  duration: z.number().min(0).describe('seconds'),
  level: z
    .enum(['outer', 'inner'])
    .describe('the IP header that keyed the packets: the outermost, or the innermost of tunnels and mirrors'),
  truncated: z.boolean().describe('the capture ends within a record'),
  decodeFaults: z.record(z.string(), count),
  captureLoss: z
    .strictObject({
      dropped: count.nullable().describe('packets that the capturing system says it lost'),
      gapFlows: count
        .nullable()
        .describe('TCP connections with acknowledged octets that are not in the capture'),
      gapBytes: count.nullable().describe('how many octets'),
      headersCut: count.describe('packets whose layer-4 header the snap length cuts'),
    })
    .nullable()
    .describe('signs that packets were lost in capturing; null: none'),
});
