import { describe, expect, test } from 'vitest';
import { ipv4, ipv6 } from '../../../src/addr/address.js';
import { Tuple } from '../../../src/conntrack/tuple.js';
import { PacketDecoder } from '../../../src/flow/packet-decoder.js';
import { Overlay } from '../../../src/oracle/overlay.js';
import { forgePacket } from '../../../src/state/forge.js';
import { Packet } from '../../../src/state/packet.js';
import { TCP_ACK } from '../../../src/wire/tcp.js';
import { smallCluster } from '../../support/small-cluster.js';

const RAW_IP = 101;

function clientPacket(family: 4 | 6): { packet: Packet; octets: Uint8Array } {
  const octets = new Uint8Array(256);
  const tuple = new Tuple();
  tuple.setKind(family, 6);
  tuple.setSource(family === 4 ? ipv4(0xc6336407) : ipv6(0x20010db8, 0, 0, 7), 40000);
  tuple.setDestination(family === 4 ? ipv4(0x0af4020a) : ipv6(0xfd000244, 0x20000, 0, 10), 8080);
  const packet = new Packet();
  const fields = { flags: TCP_ACK, seq: 7, ack: 9, payloadBytes: 20, flowLabel: 0 };
  forgePacket(tuple, fields, new DataView(octets.buffer), packet);
  return { packet, octets: octets.slice(0, packet.end) };
}

/** What the decoder, which knows nothing of this overlay, finds in the outer packet. */
function decoded(overlay: Overlay): PacketDecoder {
  const decoder = new PacketDecoder();
  decoder.decode(overlay.outer, 0, overlay.outerBytes, overlay.outerBytes, RAW_IP, 'inner');
  return decoder;
}

describe('an overlay on bytes', () => {
  test.each([
    ['ipip', 4, 20],
    ['vxlan', 4, 50],
    ['vxlan', 6, 50],
  ] as const)(
    '%s puts an IPv%i packet into one from node to node, %i octets longer',
    (kind, family, more) => {
      const overlay = new Overlay(smallCluster({ dataplane: { overlay: kind } }));
      const { packet, octets } = clientPacket(family);
      expect(overlay.carry(packet, 0, 1)).toBe(true);
      expect(overlay.outerBytes).toBe(octets.length + more);
      const { outer, inner, layers } = decoded(overlay);
      expect(layers).toBe(2);
      expect([...outer.words.subarray(0, 1), ...outer.words.subarray(4, 5)]).toEqual([
        0x0a000001, 0x0a000002,
      ]);
      expect([inner.family, inner.srcPort, inner.dstPort]).toEqual([family, 40000, 8080]);
      const carried = new Uint8Array(overlay.outer.buffer, packet.l3, octets.length);
      expect(Buffer.compare(carried, octets)).toBe(0);
    },
  );

  test('carries nothing to a pod of the same node, and IPv6 in no IPIP', () => {
    const overlay = new Overlay(smallCluster({ dataplane: { overlay: 'ipip' } }));
    expect(overlay.carry(clientPacket(4).packet, 1, 1)).toBe(false);
    expect(overlay.carry(clientPacket(6).packet, 0, 1)).toBe(false);
    expect(overlay.outerBytes).toBe(0);
  });
});
