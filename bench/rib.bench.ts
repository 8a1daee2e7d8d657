/** The RIB between octets and octets: a table of 10^5 prefixes held, told to a second peer, withdrawn; policies; lookups. */
import { MessageFramer } from '../src/bgp/codec/message-framer.js';
import { readUpdate } from '../src/bgp/codec/read-update.js';
import { UpdatePacker } from '../src/bgp/codec/update-packer.js';
import { UpdateView } from '../src/bgp/codec/update-view.js';
import { Rib } from '../src/bgp/rib/rib.js';
import { RibFib } from '../src/bgp/rib/rib-fib.js';
import type { RibPeerSettings } from '../src/bgp/rib/rib-peer.js';
import type { BenchCase } from './bench-case.js';
import { PREFIXES, SESSION, SOCKET_READ_BYTES, table } from './bgp.bench.js';

const ROOM = 1 << 17;
const LOOKUPS = 10_000;

function newRib(): Rib {
  return new Rib({
    localAsn: 65000,
    routerId: 1,
    maxPaths: 64,
    asPaths: 'relax',
    order: 'address',
    arrivalKeepS: 180,
    connected: null,
    ownAddresses: [],
    room: ROOM,
  });
}

function peer(at: number, peerAsn: number): RibPeerSettings {
  return {
    name: `10.77.0.${at}`,
    address: { family: 4, w0: 0x0a4d0000 + at, w1: 0, w2: 0, w3: 0 },
    bgpId: at,
    context: { ...SESSION, peerAsn },
    import: 'all',
    export: 'all',
    nextHop4: 0x0a4d0001,
    nextHop6: null,
    nextHops: 'on-link',
    internalNextHop: 'unchanged',
    role: null,
    takesLongLivedStale: false,
  };
}

/** Reads `stream` for `row` as from a socket, with a turn for others after each chunk. */
function feed(rib: Rib, row: number, stream: Uint8Array, afterChunk: () => void): void {
  const framer = new MessageFramer();
  const update = new UpdateView();
  for (let at = 0; at < stream.length; at += SOCKET_READ_BYTES) {
    framer.push(stream.subarray(at, at + SOCKET_READ_BYTES), (_type, bytes, view, bodyAt, end) => {
      readUpdate(bytes, view, bodyAt, end, SESSION, update);
      rib.update(row, update);
      return true;
    });
    afterChunk();
  }
}

export const ribCases: readonly BenchCase[] = [
  {
    name: 'rib hold a table of 100 k',
    unit: 'prefix',
    batch: PREFIXES,
    setup() {
      const stream = table();
      return () => {
        const rib = newRib();
        feed(rib, rib.peerUp(peer(2, SESSION.peerAsn)), stream, () => {});
        return rib.ipv4.bestCount;
      };
    },
  },
  {
    name: 'rib hold, tell a peer, lose 100 k',
    unit: 'prefix',
    batch: PREFIXES,
    setup() {
      const stream = table();
      return () => {
        const rib = newRib();
        const feeder = rib.peerUp(peer(2, SESSION.peerAsn));
        const sink = rib.peerUp(peer(3, 64602));
        let octets = 0;
        const packer = new UpdatePacker(SESSION, (messages) => {
          octets += messages.length;
        });
        const tell = (): void => {
          while (rib.pump(sink, packer, SOCKET_READ_BYTES)) packer.flush();
          packer.flush();
        };
        feed(rib, feeder, stream, tell);
        rib.peerDown(feeder);
        tell();
        return octets;
      };
    },
  },
  {
    name: 'rib another import policy, 100 k',
    unit: 'prefix',
    batch: PREFIXES,
    setup() {
      const rib = newRib();
      const feeder = rib.peerUp(peer(2, SESSION.peerAsn));
      feed(rib, feeder, table(), () => {});
      let preference = 0;
      return () => {
        preference++;
        rib.setImportPolicy(feeder, [{ verdict: 'accept', changes: { localPref: preference } }]);
        return rib.ipv4.bestCount;
      };
    },
  },
  {
    name: 'rib longest match among 100 k',
    unit: 'lookup',
    batch: LOOKUPS,
    setup() {
      const rib = newRib();
      feed(rib, rib.peerUp(peer(2, SESSION.peerAsn)), table(), () => {});
      const fib = new RibFib(rib, {
        select: 'hash-threshold',
        hashBits: 31,
        buckets: 0,
        idleTimerS: 120,
        unbalancedTimerS: 0,
        replace: 'fresh-group',
      });
      return () => {
        let found = 0;
        for (let i = 0; i < LOOKUPS; i++) {
          if (fib.lookup(4, 0x0b000000 + ((i * 7919) % PREFIXES) * 256 + 9, 0, 0, 0) !== null) found++;
        }
        return found;
      };
    },
  },
];
