/** What a capture shows of servers: the raw material of a scenario made from it. */
import { type Address, formatAddress } from '../addr/address.js';
import type { SeenServer, SeenTraffic } from '../cluster/scenario/scenario-from-capture.js';
import type { CaptureIndex, FlowColumns } from '../flow/flow-columns.js';
import { clientSide, type FlowSide, flowAddress } from '../flow/flow-rows.js';
import { tallyServers } from '../flow/server-tally.js';
import { WordSet } from '../flow/word-set.js';

export function seenTraffic({ flows, summary }: CaptureIndex): SeenTraffic {
  // formatting an address takes longer than everything else here
  const servers = new Map<
    number | string,
    { address: Address; ports: SeenServer['ports'][number][]; flows: number }
  >();
  for (const tally of tallyServers(flows, Number.POSITIVE_INFINITY).busiest) {
    const side: FlowSide = clientSide(flows, tally.flow) === 'a' ? 'b' : 'a';
    const address = flowAddress(flows, tally.flow, side);
    const name = address.family === 4 ? address.w0 : formatAddress(address);
    let server = servers.get(name);
    if (server === undefined) {
      server = { address, ports: [], flows: 0 };
      servers.set(name, server);
    }
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
  const seen = { four: new WordSet(), six: new WordSet() };
  const addresses: Address[] = [];
  for (let f = 0; f < flows.count; f++) {
    const ofFamily = flows.family[f] === 6 ? seen.six : seen.four;
    if (ofFamily.add(flows.addresses[8 * f]!)) addresses.push(flowAddress(flows, f, 'a'));
    if (ofFamily.add(flows.addresses[8 * f + 4]!)) addresses.push(flowAddress(flows, f, 'b'));
  }
  return addresses;
}
