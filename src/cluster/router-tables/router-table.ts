/**
 * What a router's own tables say: routes with their next hops in the order in which they were printed, and settings of
 * hash and groups. One of these a format; router-facts.ts makes a scenario's router of them.
 */
import { type Address, parseAddress } from '../../addr/address.js';
import { type Prefix, parsePrefix } from '../../addr/prefix.js';
import type { EcmpSettings } from '../model.js';

export interface TableHop {
  readonly address: Address;
  /** a link-local next hop may have another address that says whose it is */
  readonly alias?: Address | undefined;
  readonly weight: number;
}

export interface TableRoute {
  readonly prefix: Prefix;
  /** empty where the route leads nowhere, or out of an interface without a gateway */
  readonly hops: readonly TableHop[];
  /** what of the group's settings goes with this route */
  readonly ecmp?: Partial<EcmpSettings> | undefined;
}

export interface RouterTable {
  /** the command that prints it */
  readonly source: string;
  /** the file that holds it */
  readonly file?: string | undefined;
  /** how far down it looks: the kernel's own table is what forwards, a daemon's what it wants */
  readonly layer: 'kernel' | 'fib' | 'rib';
  readonly routes: readonly TableRoute[];
  /** settings of the router as a whole */
  readonly ecmp: Partial<EcmpSettings>;
  /** what the user should know about it */
  readonly notes: readonly string[];
}

/** `203.0.113.10`, `203.0.113.0/24`, `default` */
export function tablePrefix(text: string, family: 4 | 6 = 4): Prefix | null {
  if (text === 'default') return parsePrefix(family === 4 ? '0.0.0.0/0' : '::/0');
  return parsePrefix(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`);
}

export function tableHop(address: unknown, weight: unknown = 1): TableHop[] {
  const parsed = typeof address === 'string' ? parseAddress(address.replace(/%.*$/, '')) : null;
  if (parsed === null) return [];
  const number = Number(weight);
  return [{ address: parsed, weight: Number.isInteger(number) && number >= 1 ? number : 1 }];
}

/** The mapping inside of JSON that nobody vouches for. */
export type Raw = Readonly<Record<string, unknown>>;

export function raw(value: unknown): Raw | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Raw) : null;
}

/** A list of mappings; NX-OS writes a list of one as the one. */
export function rawList(value: unknown): Raw[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map(raw).filter((item) => item !== null);
}
