import { describe, expect, test } from 'vitest';
import {
  MAX_HEAD_BYTES,
  mayBeRequest,
  parseRequestHead,
  valuesOf,
  writeRequestHead,
} from '../../../src/wire/http-request.js';

const octets = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const parse = (text: string) => parseRequestHead(octets(text), 0, text.length);

describe('a request head', () => {
  test('is method, target, version and fields, up to the empty line', () => {
    const text = 'GET /a?b=c HTTP/1.1\r\nHost: x\r\nX-Forwarded-For:  1.2.3.4 \t\r\n\r\nbody';
    expect(parse(text)).toEqual({
      method: 'GET',
      target: '/a?b=c',
      minorVersion: 1,
      fields: [
        { name: 'Host', value: 'x' },
        { name: 'X-Forwarded-For', value: '1.2.3.4' },
      ],
      end: text.length - 4,
      isWhole: true,
    });
  });

  test('may end its lines in a bare LF', () => {
    expect(parse('GET / HTTP/1.0\nHost: x\n\n')?.fields).toEqual([{ name: 'Host', value: 'x' }]);
  });

  test('that is cut short has the fields of its whole lines', () => {
    const head = parse('GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.2.');
    expect([head?.isWhole, head?.fields.length]).toEqual([false, 1]);
  });

  test.each([
    'GET / HTTP/2.0\r\n\r\n',
    'GET  / HTTP/1.1\r\n\r\n',
    'GET / HTTP/1.1\r\nHost : x\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\n',
    'GET /',
    '',
  ])('%j is none', (text) => {
    expect(parse(text)).toBeNull();
  });

  test('longer than any proxy takes is none', () => {
    expect(parse(`GET / HTTP/1.1\r\nA: ${'x'.repeat(MAX_HEAD_BYTES)}\r\n\r\n`)).toBeNull();
  });

  test('is written as it was read', () => {
    const text = 'POST /x HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n';
    const head = parse(text)!;
    expect(String.fromCharCode(...writeRequestHead(head, head.fields))).toBe(text);
  });

  test('has fields of one name in any case, in order', () => {
    const head = parse('GET / HTTP/1.1\r\nX-A: 1\r\nx-a: 2\r\n\r\n')!;
    expect(valuesOf(head.fields, 'X-a')).toEqual(['1', '2']);
  });
});

test('`mayBeRequest` waits for more of a request and gives up on TLS and SSH', () => {
  const may = (text: string): boolean => mayBeRequest(octets(text), 0, text.length);
  expect(['', 'GE', 'GET', 'GET /long', 'OPTIONS * HT', 'PROXY TCP4 1'].map(may)).toEqual(
    Array(6).fill(true),
  );
  expect(['\x16\x03\x01', 'SSH-2.0-OpenSSH', 'hello world'].map(may)).toEqual([false, false, false]);
});
