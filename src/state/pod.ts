/** A pod at one moment. */
import type { Address } from '../addr/address.js';

export interface Pod {
  readonly row: number;
  readonly name: string;
  readonly node: number;
  readonly addresses: readonly Address[];
  /** counts the starts of this pod; connections belong to an instance */
  instance: number;
  /** the process runs and owns its addresses */
  running: boolean;
  /** the process has ended and the address has not: the pod's kernel refuses what comes */
  crashed: boolean;
  /** address families in which the tunnel device of its node has its address */
  readonly shadowed: readonly number[];
  /** conditions of its EndpointSlice entry; all false = not listed */
  ready: boolean;
  serving: boolean;
  terminating: boolean;
}
