/** The addresses of this machine's interfaces, and which of them stands for us towards a peer. */
import { networkInterfaces } from 'node:os';
import { type Address, addressBytes, ipv6, parseAddress, sameAddress } from '../../addr/address.js';

export interface OwnInterface {
  readonly name: string;
  readonly isLoopback: boolean;
  /** without link-local ones */
  readonly addresses: readonly Address[];
}

export function ownInterfaces(): OwnInterface[] {
  return Object.entries(networkInterfaces()).map(([name, list = []]) => ({
    name,
    isLoopback: list.some(({ internal }) => internal),
    addresses: list.flatMap(({ address }) => {
      const parsed = parseAddress(address.split('%')[0]!);
      return parsed === null || isLinkLocal(parsed) ? [] : [parsed];
    }),
  }));
}

/** All of them, loopback last. */
export function ownAddresses(interfaces: readonly OwnInterface[]): Address[] {
  const outside = interfaces.filter(({ isLoopback }) => !isLoopback);
  const inside = interfaces.filter(({ isLoopback }) => isLoopback);
  return [...outside, ...inside].flatMap(({ addresses }) => addresses);
}

/** Our IPv4 address as a next hop on a session over `local`: itself, or one of the same interface. */
export function nextHop4(local: Address, interfaces: readonly OwnInterface[]): number | null {
  if (local.family === 4) return local.w0;
  return besideOf(local, 4, interfaces)?.w0 ?? null;
}

/** The same for IPv6. Where the interface has none: the IPv4 address mapped into IPv6, as GoBGP does. */
export function nextHop6(local: Address, interfaces: readonly OwnInterface[]): Uint8Array {
  if (local.family === 6) return addressBytes(local);
  return addressBytes(besideOf(local, 6, interfaces) ?? ipv6(0, 0, 0xffff, local.w0));
}

function besideOf(local: Address, family: 4 | 6, interfaces: readonly OwnInterface[]): Address | null {
  const own = interfaces.find(({ addresses }) => addresses.some((address) => sameAddress(address, local)));
  if (own === undefined || own.isLoopback) return null;
  return own.addresses.find((address) => address.family === family) ?? null;
}

function isLinkLocal({ family, w0 }: Address): boolean {
  return family === 6 && w0 >>> 22 === 0xfe80 >>> 6;
}
