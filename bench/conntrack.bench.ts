/** A node's work on one packet: conntrack hit and miss, and the NAT rewrite with its checksums. */
import { DEFAULT_TIMEOUTS } from '../src/cluster/defaults.js';
import { TcpState } from '../src/conntrack/tcp-states.js';
import { Tuple } from '../src/conntrack/tuple.js';
import { ConntrackTable } from '../src/oracle/conntrack-table.js';
import { forgePacket } from '../src/state/forge.js';
import { Packet } from '../src/state/packet.js';
import type { BenchCase } from './bench-case.js';

const LIMITS = { max: 1 << 20, timeouts: DEFAULT_TIMEOUTS };
const FLOWS = 100_000;

function tuple(flow: number, into: Tuple): Tuple {
  into.setKind(4, 6);
  into.setSource({ family: 4, w0: 0x0a000000 + (flow >>> 14), w1: 0, w2: 0, w3: 0 }, 1024 + (flow & 0x3fff));
  into.setDestination({ family: 4, w0: 0xcb00710a, w1: 0, w2: 0, w3: 0 }, 80);
  return into;
}

function filled(): ConntrackTable {
  const table = new ConntrackTable(LIMITS);
  const original = new Tuple();
  const reply = new Tuple();
  for (let flow = 0; flow < FLOWS; flow++) {
    reply.invert(tuple(flow, original));
    table.insert(original, reply, TcpState.established, 0);
  }
  return table;
}

export const conntrackCases: readonly BenchCase[] = [
  {
    name: 'conntrack hit (100 k entries)',
    batch: FLOWS,
    setup() {
      const table = filled();
      const probe = new Tuple();
      return () => {
        let slots = 0;
        for (let i = 0; i < FLOWS; i++) slots += table.find(tuple((i * 7919) % FLOWS, probe), 1);
        return slots;
      };
    },
  },
  {
    name: 'conntrack miss and insert',
    batch: FLOWS,
    setup: () => () => filled().size,
  },
  {
    name: 'NAT rewrite (DNAT + SNAT, checksums)',
    batch: FLOWS,
    setup() {
      const original = tuple(1, new Tuple());
      const translated = new Tuple();
      translated.setKind(4, 6);
      translated.setSource({ family: 4, w0: 0x0a000002, w1: 0, w2: 0, w3: 0 }, 40000);
      translated.setDestination({ family: 4, w0: 0x0af4010a, w1: 0, w2: 0, w3: 0 }, 8080);
      const packet = new Packet();
      const fields = { flags: 16, seq: 1, ack: 1, payloadBytes: 64, flowLabel: 0 };
      forgePacket(original, fields, new DataView(new ArrayBuffer(256)), packet);
      return () => {
        for (let i = 0; i < FLOWS; i++) packet.writeTuple((i & 1) === 0 ? translated : original);
        return packet.view.getUint16(10);
      };
    },
  },
];
