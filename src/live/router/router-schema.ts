/** A document of `kind: Router` as it may be written: every key, its type and range. */
import { z } from 'zod';
import { policySchema } from '../../bgp/rib/policy-schema.js';
import { API_VERSION } from '../../cluster/limits.js';
import {
  address,
  listOf,
  mapping,
  oneOf,
  oneOrMore,
  positiveDuration,
  prefix,
  truth,
  wholeNumber,
} from '../../cluster/scenario/field-schemas.js';
import { ecmpSchema } from '../../cluster/scenario/timeline-schema.js';
import { type JsonSchema, jsonSchemaOf } from '../../cluster/yaml/json-schema.js';
import { MAX_SOCKET_PATH_BYTES } from '../control/control-path.js';
import { parseListen } from './listen-address.js';
import { asn, refuseValue, SESSION_FIELDS } from './peer-config.js';

const LISTEN = 'expected an address with a port, like 127.0.0.1:1790 or [::1]:1790';
const listen = z
  .union([z.string(), z.number()], { error: LISTEN })
  .transform((value, ctx) => parseListen(String(value)) ?? refuseValue(ctx, value, LISTEN));

const CONTROL = `expected the path of a socket, of ${MAX_SOCKET_PATH_BYTES} octets at most`;

/** What one peer and a range of them have in common. */
const common = {
  ...SESSION_FIELDS,
  import: policySchema.optional(),
  export: policySchema.optional(),
  nextHopSelf: truth.optional(),
  maxPrefixes: wholeNumber(1, 0xffffffff).optional(),
  maxPrefixesPause: positiveDuration.optional(),
};

const peer = mapping({ address: address.optional(), addresses: prefix.optional(), ...common });
export type RawPeer = z.output<typeof peer>;

export const routerSchema = mapping({
  apiVersion: z.literal(API_VERSION, { error: `expected ${API_VERSION}` }),
  kind: z.literal('Router', { error: 'expected Router' }),
  metadata: z.record(z.string(), z.unknown(), { error: 'expected a mapping' }).optional(),
  spec: mapping({
    asn: asn.optional(),
    routerId: z.string({ error: 'expected an IPv4 address as router id' }).optional(),
    hostName: z.string({ error: 'expected text' }).optional(),
    listen: oneOrMore(listen, `${LISTEN}, or a list of them`).optional(),
    http: listen.optional(),
    control: z
      .string({ error: CONTROL })
      .min(1, { error: CONTROL })
      .refine((path) => Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES, { error: CONTROL })
      .optional(),
    maxPaths: wholeNumber(1, 1024).optional(),
    multipathAs: oneOf(['relax', 'same-neighbour']).optional(),
    ecmp: ecmpSchema.optional(),
    acceptAny: truth.optional(),
    selectionDeferral: positiveDuration.optional(),
    peers: listOf(peer).optional(),
  }),
});
export type RawRouter = z.output<typeof routerSchema>;

/** JSON Schema (draft 2020-12) of a Router document, for editors. */
export function routerJsonSchema(): JsonSchema {
  return jsonSchemaOf(routerSchema, 'flowfate Router', 'The configuration of flowfate router.');
}
