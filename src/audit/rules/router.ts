/** How the router spreads: what its own settings say. */
import type { RouterTable } from '../../cluster/router-tables/router-table.js';
import type { Finding } from '../finding.js';

export function routerFindings(tables: readonly RouterTable[]): Finding[] {
  const sysctl = tables.find(({ source, ecmp }) => source === 'sysctl' && ecmp.hash === 'linux-l3');
  if (sysctl === undefined) return [];
  return [
    {
      rule: 'hash-by-address',
      severity: 'medium',
      finding: 'The router sends all connections of a client to one node.',
      mechanism:
        'fib_multipath_hash_policy 0 hashes source and destination address alone. Clients behind one NAT or proxy are one client.',
      breaks:
        'Balance: the node that gets a large NAT gets all of it, and its loss breaks all of those connections at once. A second stage that hashes the same way uses a part of its next hops only.',
      remedy: 'fib_multipath_hash_policy=1 (ports, too), and another seed or policy a stage.',
      evidence: [
        {
          object: 'the router',
          says: 'net.ipv4.fib_multipath_hash_policy = 0',
          position: { file: sysctl.file },
        },
      ],
    },
  ];
}
