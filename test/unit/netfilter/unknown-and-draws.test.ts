import { expect, test } from 'vitest';
import { parseAddress } from '../../../src/addr/address.js';
import { readNodeState } from '../../../src/netfilter/node-state.js';
import { type Trace, tracePacket } from '../../../src/netfilter/trace.js';

const ADDR = JSON.stringify([
  {
    ifindex: 1,
    ifname: 'lo',
    flags: ['UP'],
    addr_info: [{ local: '127.0.0.1', prefixlen: 8, scope: 'host' }],
  },
  {
    ifindex: 2,
    ifname: 'eth0',
    flags: ['UP'],
    addr_info: [{ local: '198.51.100.1', prefixlen: 24, scope: 'global' }],
  },
  {
    ifindex: 3,
    ifname: 'p1',
    flags: ['UP'],
    addr_info: [{ local: '10.244.1.1', prefixlen: 24, scope: 'global' }],
  },
]);

function trace(texts: readonly string[], dst: string, dstPort: number, flags = 0x02): Trace {
  const files = [ADDR, ...texts].map((text, at) => ({ name: `file${at}`, text }));
  const packet = {
    iif: 'eth0',
    proto: 6,
    src: parseAddress('198.51.100.7')!,
    srcPort: 40000,
    dst: parseAddress(dst)!,
    dstPort,
    flags,
  };
  return tracePacket(readNodeState('n', files), packet, false);
}

const filter = (...rules: string[]): string =>
  [
    '*filter',
    ':INPUT ACCEPT [0:0]',
    ':FORWARD ACCEPT [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    ...rules,
    'COMMIT',
    '',
  ].join('\n');

test('a match that is not known makes the answer unknown, and is named with its rule', () => {
  const { outcomes } = trace([filter('-A FORWARD -m weather --sunny -j DROP')], '10.244.1.9', 80);
  expect(outcomes).toHaveLength(1);
  expect(outcomes[0]).toMatchObject({ verdict: 'unknown', probability: 1 });
  expect(outcomes[0]!.why).toContain('filter FORWARD rule 1: the match weather is not modelled');
});

test('a rule that is not known and that the packet cannot reach changes nothing', () => {
  const { outcomes } = trace([filter('-A FORWARD -p udp -m weather --sunny -j DROP')], '10.244.1.9', 80);
  expect(outcomes.map(({ verdict }) => verdict)).toEqual(['forwarded']);
});

test('where both answers lead to the same end, it is known', () => {
  const rules = filter('-A FORWARD -m weather --sunny -j DROP', '-A FORWARD -j DROP');
  expect(trace([rules], '10.244.1.9', 80).outcomes.map(({ verdict }) => verdict)).toEqual(['dropped']);
});

test('two counters that the same packets count fall together, not independently', () => {
  const rules = filter(
    '-A FORWARD -m statistic --mode nth --every 4 --packet 0 -j MARK --set-xmark 0x1/0xffffffff',
    '-A FORWARD -m statistic --mode nth --every 4 --packet 0 -j DROP',
    '-A FORWARD -m mark --mark 0x1 -j DROP',
  );
  const { outcomes } = trace([rules], '10.244.1.9', 80);
  expect(outcomes.find(({ verdict }) => verdict === 'dropped')?.probability).toBeCloseTo(0.25, 9);
});

test('a reply finds the connection that conntrack -L listed, and is translated back', () => {
  const table =
    'tcp      6 431999 ESTABLISHED src=10.244.1.9 dst=198.51.100.7 sport=555 dport=40000 src=198.51.100.7 dst=198.51.100.1 sport=40000 dport=555 [ASSURED] mark=0 use=1\n';
  const nat = '*nat\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\nCOMMIT\n';
  const { outcomes } = trace([nat, table], '198.51.100.1', 555, 0x10);
  expect(outcomes[0]).toMatchObject({
    verdict: 'forwarded',
    out: { oif: 'p1', dst: '10.244.1.9', dstPort: 555 },
  });
});

test('IPVS gives each real server its share in turn', () => {
  const vs =
    '-A -t 198.51.100.1:80 -s rr\n-a -t 198.51.100.1:80 -r 10.244.1.11:8080 -m -w 1\n-a -t 198.51.100.1:80 -r 10.244.1.12:8080 -m -w 1\n';
  const { outcomes } = trace([vs], '198.51.100.1', 80);
  expect(outcomes.map(({ probability, out }) => [probability, out?.dst, out?.dstPort]).sort()).toEqual([
    [0.5, '10.244.1.11', 8080],
    [0.5, '10.244.1.12', 8080],
  ]);
});
