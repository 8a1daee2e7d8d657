import { describe, expect, test } from 'vitest';
import { tallyServers } from '../../../src/flow/server-tally.js';
import { writeFlowsNdjson, writeFlowsText } from '../../../src/report/flow-list.js';
import { summariseFlows, writeFlowSummaryText } from '../../../src/report/flow-summary.js';
import { asText } from '../../../src/report/octet-writer.js';
import { PLAIN } from '../../../src/report/terminal.js';
import { MADE_VERDICTS, madeResult } from './made-result.js';

const rowOf = (f: number) => {
  const { id, proto, src, srcPort, dst, dstPort, family, start, end, packets, bytes, sawSyn } =
    MADE_VERDICTS[f]!;
  return { id, proto, src, srcPort, dst, dstPort, family, start, end, packets, bytes, sawSyn };
};

function collect(write: (sink: (text: string) => void) => void): string {
  let text = '';
  write((piece) => {
    text += piece;
  });
  return text;
}

describe('writeFlowsText()', () => {
  const lines = collect((sink) => writeFlowsText(MADE_VERDICTS.length, rowOf, sink, PLAIN))
    .trimEnd()
    .split('\n');

  test('prints a head and a line for each flow, in the order of the capture', () => {
    expect(lines).toHaveLength(1 + MADE_VERDICTS.length);
    expect(lines.slice(1).map((line) => Number.parseInt(line.trim(), 10))).toEqual(
      MADE_VERDICTS.map(({ id }) => id),
    );
  });

  test('aligns its columns', () => {
    const starts = new Set(lines.map((line) => line.search(/server|203\.0\.113\.10|\[2001:db8:113::10\]/)));
    expect(starts.size).toBe(1);
  });

  test('says that there is none', () => {
    expect(collect((sink) => writeFlowsText(0, rowOf, sink, PLAIN))).toBe('The capture holds no flow.\n');
  });
});

describe('writeFlowsNdjson()', () => {
  test('writes the capture and a flow a line', () => {
    const lines = collect((sink) => writeFlowsNdjson({ file: 'c.pcap' }, 3, rowOf, asText(sink)))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines[0]).toEqual({ record: 'capture', schema: 'flowfate/report/1', file: 'c.pcap' });
    expect(lines.slice(1)).toEqual([0, 1, 2].map((f) => ({ record: 'flow', ...rowOf(f) })));
  });
});

describe('tallyServers()', () => {
  test('adds up flows, packets and bytes as a Map of strings does', () => {
    const { flows } = madeResult().index;
    // Three servers: ports 80, 443 over IPv4, and 80 over IPv6, spread over the rows.
    for (let f = 0; f < flows.count; f++) {
      flows.bPort[f] = f % 2 === 0 ? 80 : 443;
      flows.addresses[f * 8 + 4] = f % 3;
    }
    const expected = new Map<string, { flows: number; bytes: number }>();
    for (let f = 0; f < flows.count; f++) {
      const key = `${flows.family[f]} ${flows.addresses[f * 8 + 4]} ${flows.bPort[f]}`;
      const sum = expected.get(key) ?? { flows: 0, bytes: 0 };
      sum.flows++;
      sum.bytes += flows.bytesOut[f]! + flows.bytesIn[f]!;
      expected.set(key, sum);
    }
    const { servers, busiest } = tallyServers(flows, 100);
    expect(servers).toBe(expected.size);
    expect(busiest.map(({ flows: n, bytes }) => ({ flows: n, bytes }))).toEqual(
      [...expected.values()].sort((x, y) => y.bytes - x.bytes),
    );
  });
});

describe('summariseFlows()', () => {
  const { index } = madeResult();
  const summary = summariseFlows(index.flows, rowOf);

  test('counts every flow once by protocol and family', () => {
    expect(summary.byProtocol.map(({ proto, family, flows }) => [proto, family, flows])).toEqual([
      ['tcp', 4, 8],
      ['tcp', 6, 4],
    ]);
  });

  test('counts the packets that belong to flows', () => {
    const packets = MADE_VERDICTS.reduce((sum, verdict) => sum + verdict.packets.out + verdict.packets.in, 0);
    expect(summary.packetsInFlows).toBe(packets);
  });

  test('lists the busiest flows first', () => {
    const sizes = summary.busiestFlows.map(({ bytes }) => bytes);
    expect(sizes).toEqual([...sizes].sort((x, y) => y - x));
    expect(summary.busiestFlows[0]?.flow.id).toBe(11);
  });

  test('reads well as text', () => {
    const text = collect((sink) => writeFlowSummaryText(index, rowOf, sink, PLAIN));
    expect(text).toContain('12 flows, 294 packets in them');
    expect(text).toContain('tcp over IPv4');
    expect(text).toContain('Busiest flows');
  });
});
