import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseAddress } from '../../../src/addr/address.js';
import { IpvsSourceTable, ipvsFold } from '../../../src/route/ipvs-source-table.js';

interface Recorded {
  name: string;
  scheduler: string;
  flags: string;
  destinations: [address: string, port: number, weight: number][];
  flows: [src: string, srcPort: number, chosen: string | null][];
}
const fold = (text: string): number => ipvsFold(parseAddress(text)!);
// what ip_vs of Linux 6.1 chose for real SYNs, read from its connection table
const recorded = readFileSync(
  join(import.meta.dirname, '..', '..', 'golden', 'ipvs-maps', 'maps.jsonl'),
  'utf8',
)
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded);

for (const { name, scheduler, flags, destinations, flows } of recorded) {
  test(`every client gets the real server that the kernel gave it: ${name}, ${destinations[0]![0]}`, () => {
    const table = new IpvsSourceTable(
      scheduler === 'sh' ? 'sh' : 'mh',
      destinations.map(([address, port, weight]) => ({ fold: fold(address), port, weight })),
    );
    const chosen = flows.map(
      ([src, srcPort]) => destinations[table.choose(fold(src), flags === '' ? 0 : srcPort)]?.[0],
    );
    expect(chosen).toEqual(flows.map((flow) => flow[2]));
  });
}

test('a client whose real server has weight 0 gets none under sh, and another under mh', () => {
  const at = [10, 11, 12].map((host, row) => ({
    fold: 0x0af40100 + host,
    port: 8080,
    weight: row === 1 ? 0 : 1,
  }));
  const sh = new IpvsSourceTable('sh', at);
  const mh = new IpvsSourceTable('mh', at);
  const clients = Array.from({ length: 200 }, (_, i) => 0xc6336400 + i);
  expect(clients.some((client) => sh.choose(client, 0) === -1)).toBe(true);
  expect(clients.every((client) => [0, 2].includes(mh.choose(client, 0)))).toBe(true);
});

test('a service without destinations chooses nothing', () => {
  expect(new IpvsSourceTable('sh', []).choose(1, 0)).toBe(-1);
  expect(new IpvsSourceTable('mh', []).choose(1, 0)).toBe(-1);
});
