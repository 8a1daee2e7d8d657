/**
 * A virtual server of a BIG-IP as one of CIS's objects states it, whatever the object's kind: where it listens, how it
 * treats the client's address, and the pool behind it. f5-edge.ts makes the load balancer of them.
 *
 * Defaults are AS3's, which CIS declares with: SNAT auto, round robin, slow ramp 10 s, service-down action none;
 * monitors of 5 s and 16 s.
 */
import type { Address } from '../../../addr/address.js';
import { EDGE_SERVICE_DOWN, type EdgePool } from '../../edge-model.js';
import type { Place } from '../../scenario/facts.js';
import type { F5Monitor } from './f5-schemas.js';

export interface F5Virtual {
  /** kind and name, as sentences begin with them */
  readonly object: string;
  readonly name: string;
  readonly namespace: string;
  readonly place: Place;
  readonly addresses: readonly Address[];
  /** IP protocol number and port */
  readonly proto: number;
  readonly port: number;
  readonly snat: 'automap' | 'none';
  /** null: by a cookie, which packets need not show */
  readonly persistence: 'none' | 'source-addr' | null;
  readonly proxyProtocol: 0 | 1 | 2;
  readonly pool: F5VirtualPool | null;
  /** ends connections itself and opens others to its members */
  readonly isFullProxy: boolean;
  /** what cannot be expressed and decides what becomes of a connection: ends of sentences */
  readonly doubts: readonly string[];
  /** what was not read and does not decide that: ends of sentences */
  readonly unread: readonly string[];
}

export interface F5VirtualPool {
  readonly namespace: string;
  readonly service: string;
  /** number, name or target port of the Service's port */
  readonly servicePort: number | string | null;
  readonly nodeLabel: string | null;
  readonly balance: EdgePool['balance'];
  readonly serviceDown: EdgePool['serviceDown'];
  readonly slowRampS: number;
  readonly monitor: F5MonitorSettings | null;
  readonly session: 'enabled' | 'disabled' | 'offline';
}

export interface F5MonitorSettings {
  readonly intervalS: number;
  readonly timeoutS: number;
  /** another port than the member's, or 0 */
  readonly port: number;
}

export const USUAL_SLOW_RAMP_S = 10;
export const USUAL_MONITOR: F5MonitorSettings = { intervalS: 5, timeoutS: 16, port: 0 };

/** Collects what is wrong with one virtual server. */
export class F5Doubts {
  readonly doubts: string[] = [];
  readonly unread: string[] = [];

  doubt(sentence: string): void {
    this.doubts.push(sentence);
  }

  pass(sentence: string): void {
    this.unread.push(sentence);
  }

  /** `auto`, `none`, `self`, or a SNAT pool of the device. */
  snat(stated: string | undefined): 'automap' | 'none' {
    if (stated === 'none') return 'none';
    if (stated !== undefined && !['auto', 'automap', 'self', ''].includes(stated)) {
      this.pass(`its SNAT pool ${stated} stands on the device; SNAT automap is taken`);
    }
    return 'automap';
  }

  balance(method: string | undefined): EdgePool['balance'] {
    switch (method) {
      case undefined:
      case '':
      case 'round-robin':
        return 'round-robin';
      case 'least-connections-member':
      case 'least-connections-node':
      case 'least-connections':
        return 'least-connections';
      case 'ratio-member':
        return 'ratio';
      default:
        this.doubt(`its load balancing method ${method} is not modelled`);
        return 'round-robin';
    }
  }

  serviceDown(action: string | undefined): EdgePool['serviceDown'] {
    const known = EDGE_SERVICE_DOWN.find((one) => one === (action ?? 'none'));
    if (known === undefined) this.doubt(`its serviceDownAction ${action} is not modelled`);
    return known ?? 'none';
  }

  /** @param usual what AS3 takes where nothing is stated */
  persistence(stated: string | undefined, usual: F5Virtual['persistence']): F5Virtual['persistence'] {
    if (stated === undefined || stated === '') return usual;
    const name = stated.slice(stated.lastIndexOf('/') + 1);
    if (name === 'none') return 'none';
    if (name === 'source-address' || name === 'source_addr') return 'source-addr';
    if (name === 'cookie') return null;
    this.doubt(`its persistence ${stated} is not modelled`);
    return 'none';
  }

  monitor(monitors: readonly F5Monitor[]): F5MonitorSettings | null {
    const [first, ...others] = monitors.filter((one) => Object.keys(one).length > 0);
    if (first === undefined) return null;
    if (others.length > 0) this.pass(`of its ${others.length + 1} monitors the first is taken`);
    if (first.reference === 'bigip') {
      this.pass(
        `its monitor ${first.name ?? ''} stands on the device; BIG-IP’s usual one of 5 s and 16 s is taken`,
      );
      return USUAL_MONITOR;
    }
    return {
      intervalS: first.interval ?? USUAL_MONITOR.intervalS,
      timeoutS: first.timeout ?? USUAL_MONITOR.timeoutS,
      port: first.targetPort ?? 0,
    };
  }
}
