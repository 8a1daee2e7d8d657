/** nft's `fib` expression (net/ipv4/netfilter/nft_fib_ipv4.c, net/ipv6/netfilter/nft_fib_ipv6.c). */
import type { Expression, Read } from './nft-read.js';
import { constantOf, NotModelled } from './nft-types.js';
import { UNKNOWN } from './packet.js';
import { addressType4, addressType6, plainLookup } from './routing.js';
import type { Walk } from './rule-set.js';

export function compileFib(fields: Readonly<Record<string, unknown>>): Expression {
  const flags = (Array.isArray(fields.flags) ? fields.flags : [fields.flags]).map(String);
  const has = (flag: string): boolean => flags.includes(flag);
  const of = has('daddr') ? 'dst' : 'src';
  const result = String(fields.result);
  const deviceOf = (walk: Walk): string | null => (has('iif') ? walk.iif : has('oif') ? walk.oif : null);
  if (result === 'type') {
    return {
      type: 'fib_addrtype',
      read: (walk) => {
        if (!walk.node.hasAddresses) return UNKNOWN;
        const address = walk.packet[of];
        const type =
          address.family === 4
            ? addressType4(walk, address, deviceOf(walk))
            : addressType6(walk, address, deviceOf(walk));
        return constantOf(type, 'fib_addrtype');
      },
    };
  }
  if (result === 'check') {
    return { type: 'boolean', read: (walk) => present(lookupDevice(walk, of, has('mark'), deviceOf(walk))) };
  }
  if (result !== 'oif' && result !== 'oifname') throw new NotModelled(`fib ${result}`);
  return {
    type: 'fib_oif',
    read: (walk) => lookupDevice(walk, of, has('mark'), deviceOf(walk)),
  };
}

function present(device: Read): Read {
  return device === UNKNOWN || device === null ? device : device === '' ? 0 : 1;
}

/** The interface by which the kernel would reach the address; empty where it would not, or not by `device`. */
function lookupDevice(walk: Walk, of: 'src' | 'dst', withMark: boolean, device: string | null): Read {
  const { packet, node } = walk;
  if (walk.hook === 'prerouting' && walk.iif === 'lo') return 'lo';
  if (!node.routes.hasRoutes) return UNKNOWN;
  if (withMark && packet.markUnknown) return UNKNOWN;
  const answer = plainLookup(walk, packet[of], withMark ? packet.mark : 0);
  if (answer === null || answer.type !== 'unicast') return '';
  const { hops } = answer.route!;
  if (device === null) return hops[0]?.dev ?? '';
  return hops.some(({ dev }) => dev === device) ? device : '';
}
