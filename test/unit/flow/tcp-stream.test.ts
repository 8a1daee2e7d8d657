import { describe, expect, test } from 'vitest';
import { TcpStream } from '../../../src/flow/tcp-stream.js';

function record(): { stream: TcpStream; got: string[] } {
  const got: string[] = [];
  const stream = new TcpStream({
    onBytes: (bytes) => got.push(Buffer.from(bytes).toString()),
    onGap: () => got.push('<gap>'),
  });
  return { stream, got };
}

const octets = (text: string) => Buffer.from(text);

describe('TcpStream', () => {
  test('drops what was sent before and waits for what is missing', () => {
    const { stream, got } = record();
    stream.syn(99);
    stream.syn(99);
    stream.segment(100, octets('abc'));
    stream.segment(106, octets('ghi'));
    stream.segment(100, octets('abc'));
    stream.segment(102, octets('cdef'));
    stream.segment(109, octets('j'));
    expect(got).toEqual(['abc', 'def', 'ghi', 'j']);
  });

  test('passes sequence number 0', () => {
    const { stream, got } = record();
    stream.syn(0xfffffffd);
    stream.segment(0, octets('cd'));
    stream.segment(0xfffffffe, octets('ab'));
    expect(got).toEqual(['ab', 'cd']);
  });

  test('begins after a gap where the SYN is not in the capture', () => {
    const { stream, got } = record();
    stream.segment(5, octets('x'));
    expect(got).toEqual(['<gap>', 'x']);
  });

  test('gives a hole up at the end, or once a megabyte waits behind it', () => {
    const { stream, got } = record();
    stream.syn(0);
    stream.segment(10, octets('late'));
    expect(got).toEqual([]);
    stream.end();
    expect(got).toEqual(['<gap>', 'late']);

    const long = record();
    long.stream.syn(0);
    for (let i = 0; i < 40; i++) long.stream.segment(100 + i * 30000, Buffer.alloc(30000, 97));
    expect(long.got[0]).toBe('<gap>');
    expect(long.got.slice(1).join('').length).toBe(1_200_000);
  });
});
