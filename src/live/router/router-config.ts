/**
 * The configuration of a router: a document of `kind: Router`, what the command line says over it, and what holds
 * where both are silent.
 *
 * | key               | default                   | why                                                    |
 * |-------------------|---------------------------|--------------------------------------------------------|
 * | listen            | 127.0.0.1:1790            | loopback, and no right needed                          |
 * | routerId          | first IPv4 listen address | else that of an interface                              |
 * | control           | by the file's name        | the socket that `flowfate ctl` talks to                |
 * | maxPaths          | 64                        | FRR's usual build                                      |
 * | multipathAs       | relax                     | ECMP over AS paths of equal length, as a ToR has it    |
 * | selectionDeferral | 30s                       | after our own restart, RFC 4724 section 4.1            |
 * | peers[].import, … | eBGP none, iBGP all       | RFC 8212                                               |
 * | …maxPrefixes      | 2000000                   | more than any table; bounds memory                     |
 *
 * What else may be said of a peer is in peer-config.ts.
 */
import { type Address, formatAddress, parseAddress, sameAddress } from '../../addr/address.js';
import { formatPrefix, type Prefix, parsePrefix, prefixContains } from '../../addr/prefix.js';
import type { BfdSettings } from '../../bgp/bfd/bfd.js';
import type { ListenAddress, ListenTarget } from '../../bgp/net/transport.js';
import { defaultPolicy, type Policy } from '../../bgp/rib/policy.js';
import { DEFAULT_PEER, type LocalSpeaker, type PeerSettings } from '../../bgp/session/peer-settings.js';
import type { PeerRange, SpeakerPeers } from '../../bgp/session/speaker.js';
import { DEFAULT_SEED, defaultEcmp } from '../../cluster/defaults.js';
import { changedEcmp, ecmpSettings, fitEcmp, refuseEcmp } from '../../cluster/ecmp-settings.js';
import type { EcmpSettings } from '../../cluster/model.js';
import { Problems } from '../../cluster/yaml/problems.js';
import { readWith } from '../../cluster/yaml/schema-issues.js';
import { readYaml, type ScenarioInput, type SourceDocument } from '../../cluster/yaml/yaml-source.js';
import { FlowfateError } from '../../errors.js';
import { controlPathOfFile } from '../control/control-path.js';
import { isWildcard, LOOPBACK } from './listen-address.js';
import { bfdSettings, refuseSession, sessionSettings } from './peer-config.js';
import { type RawPeer, type RawRouter, routerSchema } from './router-schema.js';
import { refuseSecurity } from './socket-security.js';

/** What the router makes of a peer's routes; may change while its session goes on. */
export interface PeerPolicy {
  readonly import: Policy;
  readonly export: Policy;
  /** per family */
  readonly maxPrefixes: number;
  readonly internalNextHop: 'unchanged' | 'self';
  readonly bfd: BfdSettings | null;
}

export interface RouterConfig {
  readonly local: LocalSpeaker;
  readonly listen: readonly ListenTarget[];
  readonly http: ListenAddress | null;
  /** path of the control socket; null = nobody stated one */
  readonly control: string | null;
  readonly maxPaths: number;
  readonly asPaths: 'relax' | 'same-neighbour';
  readonly ecmp: EcmpSettings;
  readonly peers: SpeakerPeers;
  /** by the peer's id, or by the place of its range */
  readonly policies: ReadonlyMap<string, PeerPolicy>;
  readonly rangePolicies: readonly PeerPolicy[];
  /** what was chosen and may surprise: sentences for standard error */
  readonly notes: readonly string[];
}

/** What the command line says; it wins over the file. */
export interface RouterOverrides {
  readonly listen?: readonly ListenTarget[];
  readonly asn?: number;
  readonly routerId?: string;
  readonly acceptAny?: true;
  readonly http?: ListenAddress;
  readonly control?: string;
  readonly start: LocalSpeaker['start'];
  /** addresses of this machine's interfaces, for a router id where nobody names one */
  readonly ownAddresses: readonly Address[];
  /** the kernel's usual TTL, for ttlSecurity; `null` = not known */
  readonly usualTtl: number | null;
}

const DEFAULT_LISTEN: ListenAddress = { host: LOOPBACK, port: 1790 };
const DEFAULT_MAX_PATHS = 64;
const DEFAULT_MAX_PREFIXES = 2_000_000;
const DEFAULT_DEFERRAL_S = 30;

type RawSpec = RawRouter['spec'];

/** Throws a FlowfateError of code `config` (file, line and key) or `usage` for whatever is wrong. */
export function routerConfig(input: ScenarioInput | null, overrides: RouterOverrides): RouterConfig {
  const problems = new Problems();
  const found = input === null ? null : readRouter(input, problems);
  problems.throwIfAny();
  const spec: RawSpec = found?.spec ?? {};
  const where = (path: readonly (string | number)[], sentence: string): void => {
    const position = found?.document.positionOf(['spec', ...path]) ?? {};
    problems.add(position, sentence);
  };
  const asn = overrides.asn ?? spec.asn;
  if (asn === undefined) {
    throw new FlowfateError('config', 'the router has no AS number; give spec.asn, or --asn 64512');
  }
  const listen = overrides.listen ?? spec.listen ?? [DEFAULT_LISTEN];
  const local = localSpeaker(asn, spec, listen, overrides, where);
  const ecmp = ecmpOf(spec, where);
  const acceptAny = overrides.acceptAny ?? spec.acceptAny ?? false;
  const made = peersOf(spec.peers ?? [], asn, where);
  (spec.peers ?? []).forEach((peer, i) => {
    for (const { key, sentence } of [
      ...refuseSession(peer),
      ...refuseSecurity(peer, listen, overrides.usualTtl),
    ]) {
      where(['peers', i, key], `peers[${i}]: ${sentence}`);
    }
  });
  problems.throwIfAny();
  if (acceptAny) addAny(made);
  const { peers, ranges, policies, rangePolicies } = made;
  return {
    local,
    listen,
    http: overrides.http ?? spec.http ?? null,
    control: overrides.control ?? spec.control ?? null,
    maxPaths: spec.maxPaths ?? DEFAULT_MAX_PATHS,
    asPaths: spec.multipathAs ?? 'relax',
    ecmp,
    peers: { peers, ranges },
    policies,
    rangePolicies,
    notes: notesOf(made, spec.peers ?? []),
  };
}

/** Path of the control socket of the router that runs with this configuration. */
export function routerControlPath(input: ScenarioInput): string {
  const problems = new Problems();
  const found = readRouter(input, problems);
  problems.throwIfAny();
  return found?.spec.control ?? controlPathOfFile('router', input.name);
}

/** The policy of a peer: its own, or that of the first range that holds it. */
export function policyOf(
  config: RouterConfig,
  peer: Pick<PeerSettings, 'id' | 'address'>,
): PeerPolicy | null {
  const own = config.policies.get(peer.id);
  if (own !== undefined) return own;
  const at = config.peers.ranges.findIndex(({ prefix }) => prefixContains(prefix, peer.address));
  return config.rangePolicies[at] ?? null;
}

function readRouter(input: ScenarioInput, problems: Problems) {
  const documents = readYaml(input, problems);
  problems.throwIfAny();
  const routers = documents.filter((document) => kindOf(document) === 'Router');
  const [document] = routers;
  if (document === undefined) {
    const kinds = documents.map(kindOf).filter((kind) => kind !== null);
    const found = kinds.length === 0 ? 'nothing with a kind' : kinds.join(', ');
    throw new FlowfateError(
      'config',
      `${input.name}: has no document of "kind: Router" (found ${found}); it begins with "apiVersion: flowfate.dev/v1" and "kind: Router"`,
      { file: input.name },
    );
  }
  if (routers.length > 1) {
    problems.add(routers[1]!.positionOf([]), 'a second Router; one program is one router, remove one');
  }
  const raw = readWith(routerSchema, document, [], document.data, problems);
  return raw === null ? null : { document, spec: raw.spec };
}

function kindOf({ data }: SourceDocument): string | null {
  const kind = typeof data === 'object' && data !== null ? (data as Record<string, unknown>).kind : null;
  return typeof kind === 'string' ? kind : null;
}

type Where = (path: readonly (string | number)[], sentence: string) => void;

function localSpeaker(
  asn: number,
  spec: RawSpec,
  listen: readonly ListenTarget[],
  overrides: RouterOverrides,
  where: Where,
): LocalSpeaker {
  const stated = overrides.routerId ?? spec.routerId;
  const chosen = stated ?? formatAddress(usualRouterId(listen, overrides.ownAddresses));
  const id = parseAddress(chosen);
  if (id?.family !== 4 || id.w0 === 0) {
    where(
      ['routerId'],
      `the router id "${chosen}" is no IPv4 address other than 0.0.0.0; give one that no peer has`,
    );
  }
  return {
    asn,
    bgpIdentifier: id?.w0 ?? 0,
    hostName: spec.hostName ?? null,
    start: overrides.start,
    selectionDeferralS: spec.selectionDeferral ?? DEFAULT_DEFERRAL_S,
  };
}

function usualRouterId(listen: readonly ListenTarget[], own: readonly Address[]): Address {
  const hosts = listen.flatMap((target) => ('fd' in target || isWildcard(target.host) ? [] : [target.host]));
  const addresses = hosts.map(parseAddress).filter((address) => address !== null);
  return [...addresses, ...own].find(({ family }) => family === 4) ?? parseAddress(LOOPBACK)!;
}

function ecmpOf(spec: RawSpec, where: Where): EcmpSettings {
  const ecmp = changedEcmp(defaultEcmp(DEFAULT_SEED), ecmpSettings(spec.ecmp ?? {}));
  const refusal = refuseEcmp(ecmp, 1);
  if (refusal !== null) where(['ecmp'], refusal);
  return refusal === null ? fitEcmp(ecmp) : ecmp;
}

interface MadePeers {
  readonly peers: PeerSettings[];
  readonly ranges: PeerRange[];
  readonly policies: Map<string, PeerPolicy>;
  readonly rangePolicies: PeerPolicy[];
}

function peersOf(raw: readonly RawPeer[], localAsn: number, where: Where): MadePeers {
  const made: MadePeers = { peers: [], ranges: [], policies: new Map(), rangePolicies: [] };
  const named = raw.flatMap(({ address }) => (address === undefined ? [] : [address]));
  raw.forEach((peer, i) => {
    const at = ['peers', i];
    if ((peer.address === undefined) === (peer.addresses === undefined)) {
      where(at, `peers[${i}]: give either address (one peer) or addresses (a range, like 10.77.1.0/24)`);
      return;
    }
    const settings = settingsOf(peer);
    const policy = policyOfPeer(peer, localAsn);
    if (peer.address === undefined) {
      if (peer.passive === false) {
        where(
          [...at, 'passive'],
          `peers[${i}]: a range of addresses can only be passive; remove "passive: false"`,
        );
      }
      made.ranges.push({
        prefix: peer.addresses!,
        template: { ...settings, mode: 'passive' },
        sharing: 'by-address',
      });
      made.rangePolicies.push(policy);
      return;
    }
    if (peer.asn === undefined && peer.passive !== true) {
      where(at, `peers[${i}]: the key "asn" is missing; only a passive peer may have any AS`);
    }
    const { address } = peer;
    const shares = named.filter((other) => sameAddress(other, address)).length > 1;
    const id = shares ? sharedId(address, settings) : formatAddress(address);
    if (made.policies.has(id)) {
      where(
        [...at, 'address'],
        `peers[${i}]: ${id} is configured twice; remove one, or give each its localAddress`,
      );
      return;
    }
    made.peers.push({ ...settings, id, address });
    made.policies.set(id, policy);
  });
  return made;
}

/** Name of one of several sessions with the same address. */
function sharedId(
  address: Address,
  { port, localAddress }: Pick<PeerSettings, 'port' | 'localAddress'>,
): string {
  const text = formatAddress(address);
  const host = address.family === 6 ? `[${text}]:${port}` : `${text}:${port}`;
  return localAddress === null ? host : `${host} from ${formatAddress(localAddress)}`;
}

function settingsOf(raw: RawPeer): Omit<PeerSettings, 'id' | 'address'> {
  return { ...sessionSettings(raw), penaltyS: raw.maxPrefixesPause ?? DEFAULT_PEER.penaltyS };
}

function policyOfPeer(raw: RawPeer, localAsn: number): PeerPolicy {
  const usual = defaultPolicy(raw.asn === localAsn ? 'internal' : 'external');
  return {
    import: raw.import ?? usual,
    export: raw.export ?? usual,
    maxPrefixes: raw.maxPrefixes ?? DEFAULT_MAX_PREFIXES,
    internalNextHop: raw.nextHopSelf === true ? 'self' : 'unchanged',
    bfd: bfdSettings(raw.bfd),
  };
}

/** Anybody with any AS: import all, export none. */
function addAny(made: MadePeers): void {
  const template = { ...settingsOf({ passive: true }), mode: 'passive' as const };
  const everything: Prefix[] = [parsePrefix('0.0.0.0/0')!, parsePrefix('::/0')!];
  for (const prefix of everything) {
    made.ranges.push({ prefix, template, sharing: 'by-port' });
    made.rangePolicies.push({
      import: 'all',
      export: 'none',
      maxPrefixes: DEFAULT_MAX_PREFIXES,
      internalNextHop: 'unchanged',
      bfd: null,
    });
  }
}

function notesOf({ peers, ranges, policies }: MadePeers, raw: readonly RawPeer[]): string[] {
  const notes: string[] = [];
  if (peers.length + ranges.length === 0) {
    notes.push('no peer may connect: name peers in the configuration, or say --accept-any');
  }
  raw.forEach(({ address, addresses, import: imported }) => {
    if (imported !== undefined) return;
    const name = address === undefined ? formatPrefix(addresses!) : formatAddress(address);
    if (policies.get(name)?.import === 'none') {
      notes.push(`${name}: nothing is imported, as no import policy is stated (RFC 8212); say "import: all"`);
    }
  });
  return notes;
}
