/**
 * What tests ask of a BGP daemon, whichever it is: a configuration in one form, life and death, and its tables read
 * back in one form. One file a daemon beside this one says it in that daemon's own language.
 */
import type { Host } from '../netns.js';

export type DaemonName = 'bird' | 'frr' | 'gobgp' | 'exabgp' | 'openbgpd';
export type Family = 'ipv4' | 'ipv6';

export interface DaemonPeer {
  readonly address: string;
  readonly asn: number;
  readonly localAddress: string;
  /** the families of the session; as the address's own where absent */
  readonly families?: readonly Family[];
  /** waits for the other side to connect */
  readonly passive?: boolean;
  /** 9 where absent */
  readonly holdTimeS?: number;
  /** announces graceful restart with this restart time */
  readonly gracefulRestartS?: number;
  readonly addPath?: 'send' | 'receive' | 'both';
  /** BIRD and FRR only */
  readonly bfd?: { readonly intervalMs: number; readonly multiplier: number };
  /** TCP-MD5 */
  readonly password?: string;
  /** GTSM (RFC 5082), peer one hop away; BIRD, FRR, GoBGP and OpenBGPD */
  readonly ttlSecurity?: boolean;
  readonly maxPrefixes?: number;
  /** passes on what other peers announced; otherwise only what the daemon originates */
  readonly forwards?: boolean;
  /** sends no 4-octet AS capability (RFC 6793); not GoBGP */
  readonly twoOctetAs?: boolean;
  /** lines for this peer in the daemon's own language */
  readonly extra?: string;
}

export interface AnnouncedRoute {
  readonly prefix: string;
  /** the session's own address where absent */
  readonly nextHop?: string;
  readonly med?: number;
  readonly communities?: readonly string[];
  readonly largeCommunities?: readonly string[];
  /** route targets, `64512:100` */
  readonly routeTargets?: readonly string[];
}

export interface DaemonConfig {
  readonly asn: number;
  readonly routerId: string;
  readonly peers: readonly DaemonPeer[];
  readonly announces?: readonly AnnouncedRoute[];
  /** lines for the whole daemon in its own language */
  readonly extra?: string;
}

export interface RibEntry {
  readonly prefix: string;
  /** the peer it came from */
  readonly from: string;
  /** the global one where there are two */
  readonly nextHop: string;
  readonly origin: 'igp' | 'egp' | 'incomplete';
  readonly asPath: readonly number[];
  readonly med: number | null;
  readonly communities: readonly string[];
  readonly largeCommunities: readonly string[];
  readonly routeTargets: readonly string[];
  readonly stale: boolean;
}

export interface Daemon {
  readonly name: DaemonName;
  readonly host: Host;
  /** Starts, or starts again after stop() or kill(), and waits until it takes commands. */
  start(): Promise<void>;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<void>;
  /** SIGKILL to it and its children. */
  kill(): Promise<void>;
  /** SIGSTOP, SIGCONT and the like, to its main process. */
  signal(signal: NodeJS.Signals): void;
  /** addresses of the peers whose session is up */
  established(): Promise<Set<string>>;
  /** what it received and accepted, all paths */
  rib(): Promise<RibEntry[]>;
  /** announces, or changes what is announced */
  announce(route: AnnouncedRoute): Promise<void>;
  withdraw(prefix: string): Promise<void>;
  /** asks the peer for all routes again */
  refresh(peer: string): Promise<void>;
  /** ends the session hard and lets it come back */
  reset(peer: string): Promise<void>;
  /** administrative shutdown of one session */
  shutdown(peer: string): Promise<void>;
  log(): string;
}

export const familyOf = (address: string): Family => (address.includes(':') ? 'ipv6' : 'ipv4');

export const familiesOf = (peer: DaemonPeer): readonly Family[] => peer.families ?? [familyOf(peer.address)];

export const holdTimeOf = (peer: DaemonPeer): number => peer.holdTimeS ?? 9;

/** keeps ordering out of comparisons: what a daemon prints is not always what came over the wire */
export const sorted = (values: Iterable<string>): string[] => [...values].sort();
