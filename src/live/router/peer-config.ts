/**
 * What a session may be told in a configuration, for `kind: Router` and `kind: Speaker` alike: schema, and what the
 * session machines make of it.
 *
 * | key                      | default            | why                                                             |
 * |--------------------------|--------------------|-----------------------------------------------------------------|
 * | port                     | 179                | where we connect to                                             |
 * | passive                  | false              | RFC 4271: both sides connect                                    |
 * | families                 | both unicast ones  | what the peer does not have falls away                          |
 * | holdTime                 | 90s                | RFC 4271 section 10                                             |
 * | gracefulRestart          | off                |                                                                 |
 * | longLivedGracefulRestart | off                | how long routes stay beyond the restart time: RFC 9494          |
 * | bfd                      | off                | `on` is 300ms, three packets                                    |
 * | password                 | none               | TCP-MD5: only on a listening socket that somebody else opened   |
 * | ttlSecurity              | off                | GTSM (RFC 5082): the same, or with the kernel's default TTL 255 |
 */
import { z } from 'zod';
import type { BfdSettings } from '../../bgp/bfd/bfd.js';
import { IPV4_UNICAST, IPV6_UNICAST, parseFamilyName } from '../../bgp/codec/address-family.js';
import {
  ADD_PATH_SETTINGS,
  DEFAULT_PEER,
  DEFAULT_STALE_S,
  MAX_LONG_LIVED_STALE_S,
  type PeerSettings,
  SESSION_ROLES,
} from '../../bgp/session/peer-settings.js';
import { USUAL_GRACEFUL_RESTART_S } from '../../cluster/defaults.js';
import {
  address,
  duration,
  mapping,
  oneOf,
  oneOrMore,
  positiveDuration,
  switchableDuration,
  truth,
  wholeNumber,
} from '../../cluster/scenario/field-schemas.js';

const ASN = 'expected an AS number from 1 to 4294967295';
export const asn = z
  .number({ error: ASN })
  .int({ error: ASN })
  .min(1, { error: ASN })
  .max(4294967295, { error: ASN });

const FAMILY = 'expected ipv4-unicast or ipv6-unicast';
const family = z.string({ error: FAMILY }).transform((text, ctx) => {
  const key = ['ipv4-unicast', 'ipv6-unicast'].includes(text) ? parseFamilyName(text) : null;
  return key ?? refuseValue(ctx, text, FAMILY);
});

const HOLD = 'expected 0, or a hold time from 3s to 65535s';
const holdTime = duration.refine((s) => s === 0 || (s >= 3 && s <= 65535 && Number.isInteger(s)), {
  error: HOLD,
});

const RESTART = 'expected a restart time from 1s to 4095s';
const LONG_LIVED = 'expected 0s (off), or a time from 1s to 16777215s (194 days)';
const INTERVAL = 'expected an interval from 10ms to 60s';
const bfdTimers = mapping({
  interval: positiveDuration.refine((s) => s >= 0.01 && s <= 60, { error: INTERVAL }).optional(),
  multiplier: wholeNumber(1, 255).optional(),
});
const BFD = 'expected off, on, or a mapping with interval and multiplier';
const bfd = z.union([z.boolean(), z.literal(['off', 'on']), bfdTimers], { error: BFD });

const PASSWORD = 'expected a password of 1 to 80 characters';
const password = z.string({ error: PASSWORD }).min(1, { error: PASSWORD }).max(80, { error: PASSWORD });

/** Keys of one session. */
export const SESSION_FIELDS = {
  asn: asn.optional(),
  port: wholeNumber(1, 65535).optional(),
  localAddress: address.optional(),
  passive: truth.optional(),
  families: oneOrMore(family, `${FAMILY}, or a list of them`).optional(),
  holdTime: holdTime.optional(),
  connectRetry: positiveDuration.optional(),
  sendHoldTime: duration.optional(),
  gracefulRestart: switchableDuration(USUAL_GRACEFUL_RESTART_S)
    .refine((s) => s === null || (s >= 1 && s <= 4095), { error: RESTART })
    .optional(),
  longLivedGracefulRestart: duration
    .refine((s) => s === 0 || (s >= 1 && s <= MAX_LONG_LIVED_STALE_S), { error: LONG_LIVED })
    .optional(),
  staleTime: positiveDuration.optional(),
  addPath: oneOf(ADD_PATH_SETTINGS).optional(),
  extendedMessages: truth.optional(),
  extendedNextHop: truth.optional(),
  bfd: bfd.optional(),
  password: password.optional(),
  ttlSecurity: truth.optional(),
  role: oneOf(SESSION_ROLES).optional(),
  strictRole: truth.optional(),
  enforceFirstAs: truth.optional(),
};
const sessionFields = mapping(SESSION_FIELDS);
export type RawSession = z.output<typeof sessionFields>;

const DEFAULT_BFD: BfdSettings = { intervalMs: 300, multiplier: 3 };

export function sessionSettings(raw: RawSession): Omit<PeerSettings, 'id' | 'address'> {
  const restartTimeS = raw.gracefulRestart ?? null;
  const staleTimeS = raw.staleTime ?? DEFAULT_STALE_S;
  return {
    ...DEFAULT_PEER,
    port: raw.port ?? DEFAULT_PEER.port,
    localAddress: raw.localAddress ?? null,
    asn: raw.asn ?? null,
    mode: raw.passive === true ? 'passive' : 'active',
    families: raw.families ?? [IPV4_UNICAST, IPV6_UNICAST],
    holdTimeS: raw.holdTime ?? DEFAULT_PEER.holdTimeS,
    connectRetryS: raw.connectRetry ?? DEFAULT_PEER.connectRetryS,
    sendHoldTimeS: raw.sendHoldTime ?? DEFAULT_PEER.sendHoldTimeS,
    gracefulRestart:
      restartTimeS === null
        ? null
        : {
            restartTimeS: Math.round(restartTimeS),
            staleTimeS,
            forwardingPreserved: true,
            longLivedStaleS: Math.round(raw.longLivedGracefulRestart ?? 0),
          },
    addPath: raw.addPath ?? 'none',
    extendedMessages: raw.extendedMessages ?? true,
    extendedNextHop: raw.extendedNextHop ?? false,
    role: raw.role ?? null,
    strictRole: raw.strictRole ?? false,
    enforceFirstAs: raw.enforceFirstAs ?? true,
  };
}

/** What does not go together; `key` is where it stands. */
export function refuseSession(
  raw: RawSession,
): readonly { readonly key: keyof RawSession; readonly sentence: string }[] {
  const { gracefulRestart = null, longLivedGracefulRestart = 0 } = raw;
  if (longLivedGracefulRestart === 0 || gracefulRestart !== null) return [];
  const sentence =
    'longLivedGracefulRestart goes on where gracefulRestart ends; give "gracefulRestart: on" as well, or remove it';
  return [{ key: 'longLivedGracefulRestart', sentence }];
}

export function bfdSettings(raw: RawSession['bfd']): BfdSettings | null {
  if (raw === undefined || raw === false || raw === 'off') return null;
  if (raw === true || raw === 'on') return DEFAULT_BFD;
  const { interval, multiplier } = raw;
  return {
    intervalMs: interval === undefined ? DEFAULT_BFD.intervalMs : Math.round(interval * 1000),
    multiplier: multiplier ?? DEFAULT_BFD.multiplier,
  };
}

export function refuseValue(ctx: z.RefinementCtx, input: unknown, message: string): never {
  ctx.addIssue({ code: 'custom', message, input });
  return z.NEVER;
}
