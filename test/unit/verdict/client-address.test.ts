import { describe, expect, test } from 'vitest';
import { formatAddress, parseAddress } from '../../../src/addr/address.js';
import { parsePrefix } from '../../../src/addr/prefix.js';
import type { L7ProxyModel } from '../../../src/cluster/l7-model.js';
import { type AddressPath, restoringSettings, viewOf } from '../../../src/verdict/client-address.js';

const address = (text: string) => parseAddress(text)!;
const CLIENT = address('198.51.100.7');
const NODE = address('10.0.0.1');

const TRAEFIK: L7ProxyModel = {
  kind: 'traefik',
  field: 'x-forwarded-for',
  forward: 'guard',
  trusted: [],
  insecure: false,
  realIp: 'peer',
  acceptProxy: 'off',
  sendProxy: 0,
  application: { addresses: [], port: 80, reads: 'x-forwarded-for', take: 'first', trusted: [] },
};

function path(proxy: Partial<L7ProxyModel>, change: Partial<AddressPath> = {}): AddressPath {
  return {
    client: CLIENT,
    fields: [],
    announced: null,
    edge: null,
    masquerade: null,
    proxy: { ...TRAEFIK, ...proxy },
    own: address('10.244.1.10'),
    ...change,
  };
}

const sees = (given: AddressPath): string | null => {
  const { sees: seen } = viewOf(given);
  return seen && formatAddress(seen);
};
const forged = { fields: [{ name: 'X-Forwarded-For', value: '198.18.0.7' }] };

describe('the application behind a proxy', () => {
  test('sees the node where the node masquerades, and the client where it does not', () => {
    expect(sees(path({}, { masquerade: NODE }))).toBe('10.0.0.1');
    expect(sees(path({}))).toBe('198.51.100.7');
  });

  test('does not see what the client made up unless the proxy believes it', () => {
    expect(sees(path({}, forged))).toBe('198.51.100.7');
    expect(sees(path({ insecure: true }, forged))).toBe('198.18.0.7');
    expect(sees(path({ trusted: [parsePrefix('198.51.100.0/24')!] }, forged))).toBe('198.18.0.7');
    expect(sees(path({ kind: 'nginx', forward: 'append' }, forged))).toBe('198.18.0.7');
  });

  test('sees the last entry, or the last that is nobody it trusts, where it looks there', () => {
    const application = { ...TRAEFIK.application, take: 'last' as const };
    expect(sees(path({ forward: 'append', application }, forged))).toBe('198.51.100.7');
    const trusting = {
      ...application,
      take: 'rightmost-untrusted' as const,
      trusted: [parsePrefix('10.0.0.0/8')!],
    };
    const behindAnother = {
      fields: [{ name: 'X-Forwarded-For', value: '203.0.113.9' }],
      masquerade: NODE,
    };
    expect(sees(path({ forward: 'append', application: trusting }, behindAnother))).toBe('203.0.113.9');
  });

  test('sees nothing where the proxy waits for a PROXY header, or gets one that it does not expect', () => {
    expect(viewOf(path({ acceptProxy: 'required' })).fault).toBe('proxy-header-missing');
    expect(viewOf(path({}, { announced: CLIENT })).fault).toBe('proxy-header-unexpected');
    expect(sees(path({ acceptProxy: 'required' }))).toBeNull();
  });
});

describe('the settings that restore the client', () => {
  test('are the policy where the node masquerades', () => {
    expect(restoringSettings(path({}, { masquerade: NODE }))).toEqual(['externalTrafficPolicy: Local']);
  });

  test('are none where the application sees it already, whatever clients claim', () => {
    expect(restoringSettings(path({}))).toEqual([]);
  });

  test('are named for honest clients too where a lie would win', () => {
    const settings = restoringSettings(path({ kind: 'nginx', forward: 'append' }));
    expect(settings).toContain('l7Proxy.forward: replace');
    expect(settings).toContain('l7Proxy.application.take: last');
  });

  test('are two where no single one helps', () => {
    const off = path({ kind: 'nginx', forward: 'off' }, { masquerade: NODE });
    expect(restoringSettings(off)).toContain('externalTrafficPolicy: Local and l7Proxy.forward: replace');
  });
});
