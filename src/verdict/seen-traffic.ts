/** What a capture shows of servers: the raw material of a scenario made from it. */
import { type Address, formatAddress } from '../addr/address.js';
import type { SeenServer, SeenTraffic } from '../cluster/scenario/scenario-from-capture.js';
import type { CaptureIndex, FlowColumns } from '../flow/flow-columns.js';
import { clientSide, type FlowSide, flowAddress } from '../flow/flow-rows.js';
import { tallyServers } from '../flow/server-tally.js';

export function seenTraffic({ flows, summary }: CaptureIndex): SeenTraffic {
  const servers = new Map<
    string,
    { address: Address; ports: SeenServer['ports'][number][]; flows: number }
  >();
  for (const tally of tallyServers(flows, Number.POSITIVE_INFINITY).busiest) {
    const side: FlowSide = clientSide(flows, tally.flow) === 'a' ? 'b' : 'a';
    const address = flowAddress(flows, tally.flow, side);
    const text = formatAddress(address);
    const server = servers.get(text) ?? { address, ports: [], flows: 0 };
    servers.set(text, server);
    const port = side === 'a' ? flows.aPort[tally.flow]! : flows.bPort[tally.flow]!;
    server.ports.push({ proto: flows.proto[tally.flow]!, port });
    server.flows += tally.flows;
  }
  return {
    servers: [...servers.values()],
    durationS: summary.duration,
    addresses: someAddresses(flows),
  };
}

/** One address for each IPv4 address and each IPv6 /32 there is: enough to keep made networks clear of them. */
function someAddresses(flows: FlowColumns): Address[] {
  const seen = new Set<number>();
  const addresses: Address[] = [];
  for (let f = 0; f < flows.count; f++) {
    for (const side of ['a', 'b'] as const) {
      const w0 = flows.addresses[8 * f + (side === 'a' ? 0 : 4)]!;
      const key = w0 + (flows.family[f] === 6 ? 2 ** 32 : 0);
      if (seen.has(key)) continue;
      seen.add(key);
      addresses.push(flowAddress(flows, f, side));
    }
  }
  return addresses;
}
