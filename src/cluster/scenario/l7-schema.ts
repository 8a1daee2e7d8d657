/** `l7Proxy` of a service as it may be written, and the model of it; what is not said is off. */
import { z } from 'zod';
import {
  ACCEPT_PROXY,
  DEFAULT_FORWARD,
  FORWARD_MODES,
  FORWARDING_FIELDS,
  L7_KINDS,
  type L7ProxyModel,
  TAKES,
} from '../l7-model.js';
import { addresses, mapping, oneOf, prefixes, truth, wholeNumber } from './field-schemas.js';

const SEND = 'expected off, v1 or v2';
export const sendProxy = z
  .union([z.literal(false), z.literal(['off', 'v1', 'v2'])], { error: SEND })
  .transform((version) => (version === 'v1' ? 1 : version === 'v2' ? 2 : 0));
const acceptProxy = z
  .union([z.literal(false), oneOf(ACCEPT_PROXY)], { error: `expected one of ${ACCEPT_PROXY.join(', ')}` })
  .transform((mode) => (mode === false ? 'off' : mode));
const forwardMode = z
  .union([z.literal(false), oneOf(FORWARD_MODES)], { error: `expected one of ${FORWARD_MODES.join(', ')}` })
  .transform((mode) => (mode === false ? 'off' : mode));
export const forwardingField = oneOf(FORWARDING_FIELDS);

const application = mapping({
  address: addresses.optional(),
  port: wholeNumber(1, 65535).optional(),
  reads: oneOf(['peer', ...FORWARDING_FIELDS, 'proxy-protocol']).default('x-forwarded-for'),
  take: oneOf(TAKES).default('first'),
  trustedIPs: prefixes.optional(),
});

export const l7ProxySchema = mapping({
  kind: oneOf(L7_KINDS),
  field: forwardingField.default('x-forwarded-for'),
  forward: forwardMode.optional(),
  trustedIPs: prefixes.optional(),
  insecure: truth.default(false),
  realIp: oneOf(['peer', 'last', 'rightmost-untrusted']).default('peer'),
  proxyProtocol: mapping({
    accept: acceptProxy.default('off'),
    send: sendProxy.default(0),
    trustedIPs: prefixes.optional(),
  }).optional(),
  application: application.optional(),
}).transform((raw): L7ProxyModel => {
  const { kind, field, forward, trustedIPs = [], insecure, realIp, proxyProtocol } = raw;
  const app = raw.application;
  return {
    kind,
    field,
    forward: forward ?? DEFAULT_FORWARD[kind],
    trusted: trustedIPs,
    insecure,
    realIp,
    ...(proxyProtocol?.trustedIPs && { proxyTrusted: proxyProtocol.trustedIPs }),
    acceptProxy: proxyProtocol?.accept ?? 'off',
    sendProxy: proxyProtocol?.send ?? 0,
    application: {
      addresses: app?.address ?? [],
      port: app?.port ?? 80,
      reads: app?.reads ?? 'x-forwarded-for',
      take: app?.take ?? 'first',
      trusted: app?.trustedIPs ?? [],
    },
  };
});
