/** Header fields by the names that nft's JSON has: which header, where, how long, of which type (src/proto.c). */
import type { HeaderBase } from './packet.js';

interface Field {
  readonly base: HeaderBase;
  /** bits from the start of the header */
  readonly offset: number;
  readonly bits: number;
  readonly type: string;
  /** what is assumed where nobody gave the field */
  readonly assumed?: string;
}

export interface Header {
  /** a packet of another family ends the rule */
  readonly family: 4 | 6 | null;
  /** a packet of another protocol does too; null: any */
  readonly proto: number | null;
  readonly fields: Readonly<Record<string, Field>>;
}

type Row = readonly [offset: number, bits: number, type: string, assumed?: string];

function header(
  base: HeaderBase,
  family: 4 | 6 | null,
  proto: number | null,
  rows: Readonly<Record<string, Row>>,
): Header {
  const fields: Record<string, Field> = {};
  for (const [name, [offset, bits, type, assumed]] of Object.entries(rows)) {
    fields[name] = { base, offset, bits, type, ...(assumed === undefined ? {} : { assumed }) };
  }
  return { family, proto, fields };
}

const TTL = 'the TTL is 64 when it comes in';
const TOS = 'the DSCP and ECN bits are 0';
const PORTS: Readonly<Record<string, Row>> = {
  sport: [0, 16, 'inet_service'],
  dport: [16, 16, 'inet_service'],
};

export const HEADERS: Readonly<Record<string, Header>> = {
  ether: header('ll', null, null, {
    daddr: [0, 48, 'ether_addr'],
    saddr: [48, 48, 'ether_addr'],
    type: [96, 16, 'ether_type'],
  }),
  vlan: header('ll', null, null, { id: [4, 12, 'integer'], pcp: [0, 3, 'integer'], dei: [3, 1, 'integer'] }),
  ip: header('nh', 4, null, {
    version: [0, 4, 'integer'],
    hdrlength: [4, 4, 'integer', 'the IPv4 header has no options'],
    dscp: [8, 6, 'dscp', TOS],
    ecn: [14, 2, 'ecn', TOS],
    length: [16, 16, 'integer'],
    id: [32, 16, 'integer'],
    'frag-off': [48, 16, 'integer', 'the packet is no fragment and may be fragmented'],
    ttl: [64, 8, 'integer', TTL],
    protocol: [72, 8, 'inet_proto'],
    checksum: [80, 16, 'integer'],
    saddr: [96, 32, 'ipv4_addr'],
    daddr: [128, 32, 'ipv4_addr'],
  }),
  ip6: header('nh', 6, null, {
    version: [0, 4, 'integer'],
    dscp: [4, 6, 'dscp', TOS],
    ecn: [10, 2, 'ecn', TOS],
    flowlabel: [12, 20, 'integer', 'the flow label is 0'],
    length: [32, 16, 'integer'],
    nexthdr: [48, 8, 'inet_proto'],
    hoplimit: [56, 8, 'integer', TTL],
    saddr: [64, 128, 'ipv6_addr'],
    daddr: [192, 128, 'ipv6_addr'],
  }),
  tcp: header('th', null, 6, {
    ...PORTS,
    sequence: [32, 32, 'integer'],
    ackseq: [64, 32, 'integer'],
    doff: [96, 4, 'integer', 'the TCP header has no options'],
    reserved: [100, 4, 'integer'],
    flags: [104, 8, 'tcp_flag'],
    window: [112, 16, 'integer', 'the TCP window is 64240'],
    checksum: [128, 16, 'integer'],
    urgptr: [144, 16, 'integer'],
  }),
  udp: header('th', null, 17, { ...PORTS, length: [32, 16, 'integer'], checksum: [48, 16, 'integer'] }),
  udplite: header('th', null, 136, { ...PORTS, checksum: [48, 16, 'integer'] }),
  sctp: header('th', null, 132, { ...PORTS, vtag: [32, 32, 'integer'], checksum: [64, 32, 'integer'] }),
  dccp: header('th', null, 33, { ...PORTS, type: [67, 4, 'integer'] }),
  th: header('th', null, null, PORTS),
  icmp: header('th', 4, 1, {
    type: [0, 8, 'icmp_type'],
    code: [8, 8, 'icmp_code'],
    checksum: [16, 16, 'integer'],
    id: [32, 16, 'integer'],
    sequence: [48, 16, 'integer'],
    gateway: [32, 32, 'integer'],
    mtu: [48, 16, 'integer'],
  }),
  icmpv6: header('th', 6, 58, {
    type: [0, 8, 'icmpv6_type'],
    code: [8, 8, 'icmpv6_code'],
    checksum: [16, 16, 'integer'],
    id: [32, 16, 'integer'],
    sequence: [48, 16, 'integer'],
    'parameter-problem': [32, 32, 'integer'],
    mtu: [32, 32, 'integer'],
    'max-delay': [32, 16, 'integer'],
    taddr: [64, 128, 'ipv6_addr'],
  }),
  igmp: header('th', 4, 2, {
    type: [0, 8, 'integer'],
    mrt: [8, 8, 'integer'],
    checksum: [16, 16, 'integer'],
    group: [32, 32, 'ipv4_addr'],
  }),
  ah: header('th', null, 51, {
    nexthdr: [0, 8, 'inet_proto'],
    hdrlength: [8, 8, 'integer'],
    reserved: [16, 16, 'integer'],
    spi: [32, 32, 'integer'],
    sequence: [64, 32, 'integer'],
  }),
  esp: header('th', null, 50, { spi: [0, 32, 'integer'], sequence: [32, 32, 'integer'] }),
  comp: header('th', null, 108, {
    nexthdr: [0, 8, 'inet_proto'],
    flags: [8, 8, 'integer'],
    cpi: [16, 16, 'integer'],
  }),
};
