/**
 * Capabilities of OPEN: RFC 5492 and the IANA registry "Capability Codes", as a table of descriptors.
 *
 * A capability that is unknown, or whose value does not have the shape that its code asks for, is carried as
 * raw octets (`kind: 'raw'`) and has no effect: RFC 5492 section 3 ignores what is not understood, and
 * RFC 4724 section 3 a malformed graceful restart. The code is part of every value, so encoding needs no more.
 */
import { afiOf, type FamilyKey, familyKey, safiOf } from './address-family.js';
import { ByteWriter } from './byte-writer.js';

export const CAPABILITY = {
  multiprotocol: 1,
  routeRefresh: 2,
  outboundRouteFilter: 3,
  extendedNextHop: 5,
  extendedMessage: 6,
  bgpsec: 7,
  multipleLabels: 8,
  role: 9,
  gracefulRestart: 64,
  asn4: 65,
  dynamic: 67,
  multisession: 68,
  addPath: 69,
  enhancedRouteRefresh: 70,
  longLivedGracefulRestart: 71,
  fqdn: 73,
  bfdStrict: 74,
  softwareVersion: 75,
  pathsLimit: 76,
  routeRefreshCisco: 128,
  outboundRouteFilterCisco: 130,
  multisessionCisco: 131,
} as const;

export const ADD_PATH_MODE = { receive: 1, send: 2, both: 3 } as const;

/** RFC 9234 section 4.1 */
export const ROLE = { provider: 0, routeServer: 1, routeServerClient: 2, customer: 3, peer: 4 } as const;

export interface GracefulRestartFamily {
  readonly family: FamilyKey;
  /** F bit: forwarding state was preserved */
  readonly forwardingPreserved: boolean;
}

export interface LongLivedFamily extends GracefulRestartFamily {
  readonly staleTimeS: number;
}

export type Capability =
  | { readonly code: 1; readonly kind: 'multiprotocol'; readonly family: FamilyKey }
  | { readonly code: 2 | 6 | 70 | 128; readonly kind: 'flag' }
  | {
      readonly code: 5;
      readonly kind: 'extended-next-hop';
      readonly entries: readonly { readonly family: FamilyKey; readonly nextHopAfi: number }[];
    }
  | { readonly code: 9; readonly kind: 'role'; readonly role: number }
  | {
      readonly code: 64;
      readonly kind: 'graceful-restart';
      /** R bit: the speaker has restarted */
      readonly restarted: boolean;
      /** N bit: NOTIFICATION and hold timer expiry are covered too (RFC 8538) */
      readonly notification: boolean;
      /** 0 .. 4095 */
      readonly restartTimeS: number;
      readonly families: readonly GracefulRestartFamily[];
    }
  | { readonly code: 65; readonly kind: 'asn4'; readonly asn: number }
  | {
      readonly code: 69;
      readonly kind: 'add-path';
      readonly entries: readonly { readonly family: FamilyKey; readonly mode: number }[];
    }
  | { readonly code: 71; readonly kind: 'long-lived'; readonly families: readonly LongLivedFamily[] }
  | { readonly code: 73; readonly kind: 'fqdn'; readonly host: string; readonly domain: string }
  | { readonly code: 75; readonly kind: 'software-version'; readonly version: string }
  | { readonly code: number; readonly kind: 'raw'; readonly bytes: Uint8Array };

type Kind = Capability['kind'];
type OfKind<K extends Kind> = Extract<Capability, { kind: K }>;

const NAMES: ReadonlyMap<number, string> = new Map([
  [CAPABILITY.multiprotocol, 'multiprotocol'],
  [CAPABILITY.routeRefresh, 'route-refresh'],
  [CAPABILITY.outboundRouteFilter, 'outbound-route-filter'],
  [CAPABILITY.extendedNextHop, 'extended-next-hop'],
  [CAPABILITY.extendedMessage, 'extended-message'],
  [CAPABILITY.bgpsec, 'bgpsec'],
  [CAPABILITY.multipleLabels, 'multiple-labels'],
  [CAPABILITY.role, 'role'],
  [CAPABILITY.gracefulRestart, 'graceful-restart'],
  [CAPABILITY.asn4, '4-octet-asn'],
  [CAPABILITY.dynamic, 'dynamic'],
  [CAPABILITY.multisession, 'multisession'],
  [CAPABILITY.addPath, 'add-path'],
  [CAPABILITY.enhancedRouteRefresh, 'enhanced-route-refresh'],
  [CAPABILITY.longLivedGracefulRestart, 'long-lived-graceful-restart'],
  [CAPABILITY.fqdn, 'fqdn'],
  [CAPABILITY.bfdStrict, 'bfd-strict'],
  [CAPABILITY.softwareVersion, 'software-version'],
  [CAPABILITY.pathsLimit, 'paths-limit'],
  [CAPABILITY.routeRefreshCisco, 'route-refresh-cisco'],
  [CAPABILITY.outboundRouteFilterCisco, 'outbound-route-filter-cisco'],
  [CAPABILITY.multisessionCisco, 'multisession-cisco'],
]);

export function capabilityName(code: number): string {
  return NAMES.get(code) ?? `capability-${code}`;
}

/** The capability `code` with the value `view[at .. end)`. Never fails: see the head of this file. */
export function decodeCapability(code: number, view: DataView, at: number, end: number): Capability {
  return decodeKnown(code, view, at, end) ?? { code, kind: 'raw', bytes: copy(view, at, end) };
}

function decodeKnown(code: number, view: DataView, at: number, end: number): Capability | null {
  const length = end - at;
  switch (code) {
    case 1:
      // the octet between AFI and SAFI is reserved and ignored
      return length === 4
        ? { code, kind: 'multiprotocol', family: familyKey(view.getUint16(at), view.getUint8(at + 3)) }
        : null;
    case 2:
    case 6:
    case 70:
    case 128:
      return length === 0 ? { code, kind: 'flag' } : null;
    case 5:
      return length % 6 === 0 ? extendedNextHop(view, at, end) : null;
    case 9:
      return length === 1 ? { code, kind: 'role', role: view.getUint8(at) } : null;
    case 64:
      return length >= 2 && length % 4 === 2 ? gracefulRestart(view, at, end) : null;
    case 65:
      return length === 4 ? { code, kind: 'asn4', asn: view.getUint32(at) } : null;
    case 69:
      return length % 4 === 0 ? { code, kind: 'add-path', entries: addPath(view, at, end) } : null;
    case 71:
      return length % 7 === 0 ? { code, kind: 'long-lived', families: longLived(view, at, end) } : null;
    case 73:
      return fqdn(view, at, end);
    case 75:
      return softwareVersion(view, at, end);
    default:
      return null;
  }
}

function extendedNextHop(view: DataView, at: number, end: number): Capability | null {
  const entries = [];
  for (; at < end; at += 6) {
    // SAFI is 16 bits wide here (RFC 8950 section 4), but no SAFI that exists needs more than 8
    if (view.getUint16(at + 2) > 255) return null;
    const family = familyKey(view.getUint16(at), view.getUint16(at + 2));
    entries.push({ family, nextHopAfi: view.getUint16(at + 4) });
  }
  return { code: 5, kind: 'extended-next-hop', entries };
}

function gracefulRestart(view: DataView, at: number, end: number): OfKind<'graceful-restart'> {
  const head = view.getUint16(at);
  const families: GracefulRestartFamily[] = [];
  for (let i = at + 2; i < end; i += 4) {
    families.push({
      family: familyKey(view.getUint16(i), view.getUint8(i + 2)),
      forwardingPreserved: (view.getUint8(i + 3) & 0x80) !== 0,
    });
  }
  return {
    code: 64,
    kind: 'graceful-restart',
    restarted: (head & 0x8000) !== 0,
    notification: (head & 0x4000) !== 0,
    restartTimeS: head & 0xfff,
    families,
  };
}

function addPath(view: DataView, at: number, end: number): OfKind<'add-path'>['entries'] {
  const entries = [];
  for (; at < end; at += 4) {
    entries.push({
      family: familyKey(view.getUint16(at), view.getUint8(at + 2)),
      mode: view.getUint8(at + 3),
    });
  }
  return entries;
}

function longLived(view: DataView, at: number, end: number): LongLivedFamily[] {
  const families = [];
  for (; at < end; at += 7) {
    families.push({
      family: familyKey(view.getUint16(at), view.getUint8(at + 2)),
      forwardingPreserved: (view.getUint8(at + 3) & 0x80) !== 0,
      staleTimeS: (view.getUint8(at + 4) << 16) | view.getUint16(at + 5),
    });
  }
  return families;
}

/** draft-walton-bgp-hostname-capability: two counted strings */
function fqdn(view: DataView, at: number, end: number): Capability | null {
  const host = countedText(view, at, end);
  if (host === null) return null;
  const domain = countedText(view, at + 1 + view.getUint8(at), end);
  if (domain === null || end !== at + 2 + view.getUint8(at) + domain.octets) return null;
  return { code: 73, kind: 'fqdn', host: host.text, domain: domain.text };
}

function softwareVersion(view: DataView, at: number, end: number): Capability | null {
  const version = countedText(view, at, end);
  if (version === null || end !== at + 1 + version.octets) return null;
  return { code: 75, kind: 'software-version', version: version.text };
}

/** Text that would not encode to the same octets (not UTF-8) counts as malformed: it is carried raw. */
function countedText(view: DataView, at: number, end: number): { text: string; octets: number } | null {
  if (at >= end) return null;
  const octets = view.getUint8(at);
  if (at + 1 + octets > end) return null;
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at + 1, octets);
  try {
    return { text: UTF8.decode(bytes), octets };
  } catch {
    return null;
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const UTF8_ENCODER = new TextEncoder();

/** The value octets of `capability`, without code and length. */
export function encodeCapabilityValue(capability: Capability): Uint8Array {
  const out = new ByteWriter(16);
  switch (capability.kind) {
    case 'raw':
      return capability.bytes;
    case 'flag':
      break;
    case 'multiprotocol':
      writeFamily(out, capability.family, 'reserved-between');
      break;
    case 'extended-next-hop':
      for (const { family, nextHopAfi } of capability.entries) {
        out.u16(afiOf(family));
        out.u16(safiOf(family));
        out.u16(nextHopAfi);
      }
      break;
    case 'role':
      out.u8(capability.role);
      break;
    case 'graceful-restart':
      out.u16(
        (capability.restarted ? 0x8000 : 0) |
          (capability.notification ? 0x4000 : 0) |
          (capability.restartTimeS & 0xfff),
      );
      for (const entry of capability.families) {
        writeFamily(out, entry.family, 'packed');
        out.u8(entry.forwardingPreserved ? 0x80 : 0);
      }
      break;
    case 'asn4':
      out.u32(capability.asn);
      break;
    case 'add-path':
      for (const { family, mode } of capability.entries) {
        writeFamily(out, family, 'packed');
        out.u8(mode);
      }
      break;
    case 'long-lived':
      for (const entry of capability.families) {
        writeFamily(out, entry.family, 'packed');
        out.u8(entry.forwardingPreserved ? 0x80 : 0);
        out.u24(entry.staleTimeS);
      }
      break;
    case 'fqdn':
      writeText(out, capability.host);
      writeText(out, capability.domain);
      break;
    case 'software-version':
      writeText(out, capability.version);
      break;
    default:
      return capability satisfies never;
  }
  return out.bytes();
}

function writeFamily(out: ByteWriter, family: FamilyKey, layout: 'packed' | 'reserved-between'): void {
  out.u16(afiOf(family));
  if (layout === 'reserved-between') out.u8(0);
  out.u8(safiOf(family));
}

function writeText(out: ByteWriter, text: string): void {
  const bytes = UTF8_ENCODER.encode(text);
  out.u8(bytes.length);
  out.octets(bytes);
}

function copy(view: DataView, at: number, end: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, end - at).slice();
}
