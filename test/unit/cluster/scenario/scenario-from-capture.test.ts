import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Address, formatAddress, ipv4, parseAddress } from '../../../../src/addr/address.js';
import { prefixContains } from '../../../../src/addr/prefix.js';
import { loadScenario } from '../../../../src/cluster/scenario/load-scenario.js';
import { printScenario } from '../../../../src/cluster/scenario/print-scenario.js';
import {
  type SeenServer,
  scenarioFromCapture,
} from '../../../../src/cluster/scenario/scenario-from-capture.js';
import { FlowfateError } from '../../../../src/errors.js';

const server = (address: string, flows: number, ...ports: [number, number][]): SeenServer => ({
  address: parseAddress(address)!,
  ports: ports.map(([proto, port]) => ({ proto, port })),
  flows,
});

describe('scenarioFromCapture()', () => {
  test.each(['224.0.0.251', '255.255.255.255', '127.0.0.1', '169.254.9.9', '::1', 'fe80::1', 'ff02::fb'])(
    'never makes a VIP of %s, however busy',
    (address) => {
      const servers = [server(address, 900, [17, 5353]), server('203.0.113.10', 12, [6, 443])];
      const { model } = scenarioFromCapture({ servers, durationS: 10 });
      expect(model.services.flatMap(({ vips }) => vips.map(formatAddress))).toEqual(['203.0.113.10']);
    },
  );

  test('makes the busiest servers VIPs of three nodes and withdraws one half-way', () => {
    const { model, notes } = scenarioFromCapture({
      servers: [
        server('198.51.100.7', 10, [6, 443]),
        server('203.0.113.10', 900, [6, 443], [6, 80], [17, 443], [6, 80]),
        server('198.51.100.8', 3, [6, 22]),
        server('2001:db8::1', 20, [17, 53]),
        server('198.51.100.9', 50, [1, 0]),
      ],
      durationS: 12.3456,
    });
    expect(
      model.services.map((s) => [s.name, s.vips.map(formatAddress).join(), s.externalTrafficPolicy]),
    ).toEqual([
      ['svc1', '203.0.113.10', 'Cluster'],
      ['svc2', '2001:db8::1', 'Cluster'],
      ['svc3', '198.51.100.7', 'Cluster'],
    ]);
    expect(model.services[0]!.ports.map((p) => [p.proto, p.port, p.targetPort])).toEqual([
      [6, 80, 80],
      [6, 443, 443],
      [17, 443, 443],
    ]);
    expect(model.nodes.map((n) => [n.name, n.addresses.map(formatAddress).join(), n.announces])).toEqual([
      ['n1', '10.0.0.1,fd00:a::1', 'auto'],
      ['n2', '10.0.0.2,fd00:a::2', 'auto'],
      ['n3', '10.0.0.3,fd00:a::3', 'auto'],
    ]);
    expect(model.router.addresses.map(formatAddress)).toEqual(['10.0.0.254', 'fd00:a::fe']);
    expect(
      model.services[1]!.endpoints.map((e) => [e.pod, e.node, e.addresses.map(formatAddress).join()]),
    ).toEqual([
      ['svc2-n1', 0, 'fd00:244:1::b'],
      ['svc2-n2', 1, 'fd00:244:2::b'],
      ['svc2-n3', 2, 'fd00:244:3::b'],
    ]);
    expect(model.timeline).toEqual([{ at: 6.173, kind: 'withdraw', node: 1 }]);
    expect(notes).toEqual([
      'No scenario was given, so one was made from the capture: the busiest server addresses become VIPs, 203.0.113.10 (900 flows), 2001:db8::1 (20 flows), 198.51.100.7 (10 flows), behind nodes n1, n2 and n3 with one endpoint each.',
      '2 other server addresses are no VIP; flows to them are of unknown fate.',
      'At 6.173 s, half-way through the capture, node n2 is withdrawn.',
      '--print-scenario prints it as a start for one of your own.',
    ]);
  });

  test('leaves the timeline to a caller with events of its own', () => {
    const seen = { servers: [server('203.0.113.10', 1, [6, 80])], durationS: 5 };
    const { model, notes } = scenarioFromCapture(seen, { event: 'none' });
    expect(model.timeline).toEqual([]);
    expect(notes.join(' ')).not.toContain('withdrawn');
    expect(notes[0]).toContain('the busiest server address becomes a VIP, 203.0.113.10 (1 flow)');
  });

  test('takes at most eight VIPs', () => {
    const servers = Array.from({ length: 20 }, (_, i) => server(`203.0.113.${i}`, 100 - i, [6, 80]));
    expect(scenarioFromCapture({ servers, durationS: 1 }).model.services).toHaveLength(8);
  });

  test('keeps its own addresses clear of those in the capture', () => {
    const address = fc.oneof(
      fc.integer({ min: 0x0a000000, max: 0x0affffff }).map(ipv4),
      fc.nat(0xffff).map((w): Address => parseAddress(`fd00:${w.toString(16)}::1`)!),
      fc.constantFrom(...['10.0.0.1', '10.244.9.9', 'fd00:a::7', 'fd00:244::1'].map((t) => parseAddress(t)!)),
    );
    fc.assert(
      fc.property(fc.array(address, { minLength: 1, maxLength: 60 }), (addresses) => {
        const servers = addresses.slice(0, 4).map((a) => server(formatAddress(a), 5, [6, 80]));
        const { model } = scenarioFromCapture({ servers, durationS: 3, addresses });
        const made = [
          ...model.router.addresses,
          ...model.nodes.flatMap((n) => [...n.addresses, ...n.podGateways]),
          ...model.services.flatMap((s) => s.endpoints.flatMap((e) => e.addresses)),
        ].map(formatAddress);
        for (const seen of addresses) {
          expect(made).not.toContain(formatAddress(seen));
          expect(model.nodes.some((n) => n.podCidrs.some((cidr) => prefixContains(cidr, seen)))).toBe(false);
        }
      }),
    );
  });

  test('is a scenario that loads as it is printed', () => {
    const servers = [server('203.0.113.10', 9, [6, 80]), server('2001:db8::1', 9, [132, 9], [17, 53])];
    const { model } = scenarioFromCapture({ servers, durationS: 10 });
    const loaded = loadScenario([{ name: 'printed', text: printScenario(model) }]);
    expect({ ...loaded.model, assumed: model.assumed }).toEqual({ ...model, unread: [] });
    // what is printed is stated
    expect(loaded.model.assumed).toEqual([]);
  });

  test('needs a flow to a port', () => {
    const make = () => scenarioFromCapture({ servers: [server('203.0.113.1', 4, [1, 0])], durationS: 3 });
    expect(make).toThrow(FlowfateError);
    expect(make).toThrow(
      'the capture has no TCP, UDP or SCTP flow to an address that could be a VIP; give a scenario with --scenario',
    );
  });
});
