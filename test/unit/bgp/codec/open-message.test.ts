import { describe, expect, test } from 'vitest';
import { IPV4_UNICAST, IPV6_UNICAST } from '../../../../src/bgp/codec/address-family.js';
import type { Capability } from '../../../../src/bgp/codec/capability.js';
import { OFFLINE } from '../../../../src/bgp/codec/codec-context.js';
import { fromHex } from '../../../../src/bgp/codec/hex.js';
import { encodeMessage } from '../../../../src/bgp/codec/message-codec.js';
import { negotiate } from '../../../../src/bgp/codec/negotiate.js';
import { checkOpen, decodeOpen, makeOpen } from '../../../../src/bgp/codec/open-message.js';

function decode(hex: string) {
  const bytes = fromHex(hex)!;
  return decodeOpen(new DataView(bytes.buffer), 0, bytes.length);
}

describe('decodeOpen()', () => {
  test('takes the AS from capability 65 (RFC 6793)', () => {
    const open = decode('04 5ba0 005a 0a4d0002 08 0206 4104 00010000'.replace(/ /g, ''));
    expect(open.value).toMatchObject({ asn16: 23456, asn: 65536, holdTimeS: 90, bgpIdentifier: 0x0a4d0002 });
  });

  test('reads the same capabilities from one parameter, from many, and from the extended form (RFC 9072)', () => {
    const [mp, as4] = ['010400010001', '41040000fc59'];
    const forms = [
      `04fc59005a0a4d0002 0e 020c ${mp}${as4}`,
      `04fc59005a0a4d0002 10 0206${mp} 0206${as4}`,
      `04fc59005a0a4d0002 ff ff 000f 02000c ${mp}${as4}`,
      `04fc59005a0a4d0002 01 ff 000f 02000c ${mp}${as4}`,
    ];
    const found = forms.map((form) => decode(form.replace(/ /g, '')).value?.capabilities);
    const expected: Capability[] = [
      { code: 1, kind: 'multiprotocol', family: IPV4_UNICAST },
      { code: 65, kind: 'asn4', asn: 64601 },
    ];
    for (const capabilities of found) expect(capabilities).toEqual(expected);
  });

  test('carries a malformed graceful restart as octets: it has no effect (RFC 4724 3)', () => {
    const open = decode('04fc59005a0a4d00020502034001ff');
    expect(open.value?.capabilities).toEqual([{ code: 64, kind: 'raw', bytes: Uint8Array.of(0xff) }]);
  });

  test.each([
    ['a parameter that exceeds the OPEN', '04fc59005a0a4d00020402200104', 0],
    ['an unknown parameter', '04fc59005a0a4d00020409020000', 4],
    ['a capability code without length', '04fc59005a0a4d000203020141', 0],
    ['an extended form cut after its type', '04fc59005a0a4d0002ffff', 0],
    ['octets behind the parameters', '04fc59005a0a4d00020000', 0],
  ])('refuses %s', (_, hex, subcode) => {
    expect(decode(hex).fault).toMatchObject({ code: 2, subcode });
  });
});

describe('checkOpen()', () => {
  const good = makeOpen(64512, 0x0a000001, 90, []);

  test('accepts what a speaker sends, hold time 0 included', () => {
    expect(checkOpen(good)).toBeNull();
    expect(checkOpen({ ...good, holdTimeS: 0 })).toBeNull();
  });

  test.each([
    [{ version: 3 }, 1],
    [{ asn: 0 }, 2],
    [{ asn16: 0 }, 2],
    [{ bgpIdentifier: 0 }, 3],
    [{ holdTimeS: 1 }, 6],
    [{ holdTimeS: 2 }, 6],
  ])('refuses %o with OPEN error %i', (change, subcode) => {
    expect(checkOpen({ ...good, ...change })).toMatchObject({ code: 2, subcode });
  });
});

describe('makeOpen()', () => {
  test('writes AS_TRANS for an AS that does not fit, and the capability once', () => {
    const open = makeOpen(4200000001, 1, 90, [{ code: 65, kind: 'asn4', asn: 1 }]);
    expect(open).toMatchObject({ asn16: 23456, asn: 4200000001 });
    expect(open.capabilities).toEqual([{ code: 65, kind: 'asn4', asn: 4200000001 }]);
  });

  test('goes the way of RFC 9072 where the capabilities need more than 255 octets', () => {
    const many = Array.from(
      { length: 60 },
      (_, i): Capability => ({ code: 1, kind: 'multiprotocol', family: i }),
    );
    const bytes = encodeMessage(makeOpen(1, 1, 90, many), OFFLINE);
    expect([...bytes.subarray(28, 30)]).toEqual([255, 255]);
    const decoded = decodeOpen(new DataView(bytes.buffer), 19, bytes.length);
    expect(decoded.value?.capabilities.length).toBe(61);
  });
});

describe('negotiate()', () => {
  const families: Capability[] = [
    { code: 1, kind: 'multiprotocol', family: IPV4_UNICAST },
    { code: 1, kind: 'multiprotocol', family: IPV6_UNICAST },
  ];

  test('has what both sides announce', () => {
    const local = makeOpen(65000, 1, 90, [...families, { code: 6, kind: 'flag' }]);
    const remote = makeOpen(64601, 2, 90, [families[1]!, { code: 6, kind: 'flag' }]);
    expect(negotiate(local, remote)).toMatchObject({
      asn4: true,
      extendedMessages: true,
      families: new Set([IPV6_UNICAST]),
      peering: 'external',
      peerAsn: 64601,
    });
    expect(negotiate(local, { ...remote, capabilities: [] })).toMatchObject({
      asn4: false,
      extendedMessages: false,
      families: new Set([IPV4_UNICAST]),
    });
    expect(negotiate(local, makeOpen(65000, 2, 90, [])).peering).toBe('internal');
  });

  test('receives path identifiers only where we receive and the peer sends (RFC 7911 4)', () => {
    const addPath = (mode: number): Capability => ({
      code: 69,
      kind: 'add-path',
      entries: [{ family: 257, mode }],
    });
    const between = (ours: number, theirs: number) => {
      const context = negotiate(makeOpen(1, 1, 90, [addPath(ours)]), makeOpen(2, 2, 90, [addPath(theirs)]));
      return [context.addPathReceive.has(257), context.addPathSend.has(257)];
    };
    expect(between(1, 2)).toEqual([true, false]);
    expect(between(2, 1)).toEqual([false, true]);
    expect(between(3, 3)).toEqual([true, true]);
    expect(between(1, 1)).toEqual([false, false]);
    expect(between(3, 4)).toEqual([false, false]);
  });

  test('allows IPv6 next hops for IPv4 only where both sides announce them (RFC 8950 4)', () => {
    const v6: Capability = { code: 5, kind: 'extended-next-hop', entries: [{ family: 257, nextHopAfi: 2 }] };
    expect(negotiate(makeOpen(1, 1, 90, [v6]), makeOpen(2, 2, 90, [v6])).extendedNextHop).toEqual(
      new Set([257]),
    );
    expect(negotiate(makeOpen(1, 1, 90, [v6]), makeOpen(2, 2, 90, [])).extendedNextHop.size).toBe(0);
  });
});
