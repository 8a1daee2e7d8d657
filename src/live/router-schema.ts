/** A document of `kind: Router` as it may be written: every key, its type and range. */
import { z } from 'zod';
import { parseFamilyName } from '../bgp/address-family.js';
import { policySchema } from '../bgp/rib/policy-schema.js';
import { ADD_PATH_SETTINGS, SESSION_ROLES } from '../bgp/session/peer-settings.js';
import { USUAL_GRACEFUL_RESTART_S } from '../cluster/defaults.js';
import {
  address,
  duration,
  listOf,
  mapping,
  oneOf,
  oneOrMore,
  positiveDuration,
  prefix,
  switchableDuration,
  truth,
  wholeNumber,
} from '../cluster/field-schemas.js';
import { API_VERSION } from '../cluster/limits.js';
import { ecmpSchema } from '../cluster/timeline-schema.js';
import { parseListen } from './listen-address.js';

const ASN = 'expected an AS number from 1 to 4294967295';
export const asn = z
  .number({ error: ASN })
  .int({ error: ASN })
  .min(1, { error: ASN })
  .max(4294967295, { error: ASN });

const LISTEN = 'expected an address with a port, like 127.0.0.1:1790 or [::1]:1790';
const listen = z
  .union([z.string(), z.number()], { error: LISTEN })
  .transform((value, ctx) => parseListen(String(value)) ?? refuse(ctx, value, LISTEN));

const FAMILY = 'expected ipv4-unicast or ipv6-unicast';
const family = z.string({ error: FAMILY }).transform((text, ctx) => {
  const key = ['ipv4-unicast', 'ipv6-unicast'].includes(text) ? parseFamilyName(text) : null;
  return key ?? refuse(ctx, text, FAMILY);
});

const HOLD = 'expected 0, or a hold time from 3s to 65535s';
const holdTime = duration.refine((s) => s === 0 || (s >= 3 && s <= 65535 && Number.isInteger(s)), {
  error: HOLD,
});

const RESTART = 'expected a restart time from 1s to 4095s';
const bfdTimers = mapping({
  interval: positiveDuration.optional(),
  multiplier: wholeNumber(1, 255).optional(),
});
const BFD = 'expected off, on, or a mapping with interval and multiplier';
const bfd = z.union([z.boolean(), z.literal(['off', 'on']), bfdTimers], { error: BFD });

/** What one peer and a range of them have in common. */
const common = {
  asn: asn.optional(),
  port: wholeNumber(1, 65535).optional(),
  localAddress: address.optional(),
  passive: truth.optional(),
  families: oneOrMore(family, `${FAMILY}, or a list of them`).optional(),
  import: policySchema.optional(),
  export: policySchema.optional(),
  nextHopSelf: truth.optional(),
  holdTime: holdTime.optional(),
  connectRetry: positiveDuration.optional(),
  sendHoldTime: duration.optional(),
  gracefulRestart: switchableDuration(USUAL_GRACEFUL_RESTART_S)
    .refine((s) => s === null || (s >= 1 && s <= 4095), { error: RESTART })
    .optional(),
  staleTime: positiveDuration.optional(),
  addPath: oneOf(ADD_PATH_SETTINGS).optional(),
  extendedMessages: truth.optional(),
  extendedNextHop: truth.optional(),
  maxPrefixes: wholeNumber(1, 0xffffffff).optional(),
  maxPrefixesPause: positiveDuration.optional(),
  bfd: bfd.optional(),
  role: oneOf(SESSION_ROLES).optional(),
  strictRole: truth.optional(),
  enforceFirstAs: truth.optional(),
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
    maxPaths: wholeNumber(1, 1024).optional(),
    multipathAs: oneOf(['relax', 'same-neighbour']).optional(),
    ecmp: ecmpSchema.optional(),
    acceptAny: truth.optional(),
    selectionDeferral: positiveDuration.optional(),
    peers: listOf(peer).optional(),
  }),
});
export type RawRouter = z.output<typeof routerSchema>;

function refuse(ctx: z.RefinementCtx, input: unknown, message: string): never {
  ctx.addIssue({ code: 'custom', message, input });
  return z.NEVER;
}
