import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { formatAddress } from '../../../src/addr/address.js';
import type { L7ProxyModel } from '../../../src/cluster/l7-model.js';
import { readCapture } from '../../../src/flow/read-capture.js';
import { annotateCapture } from '../../../src/report/annotate.js';
import { withServices } from '../../../src/stories/model-changes.js';
import { failureFor, findStory, settingOf, variantModel } from '../../../src/stories/run-story.js';
import { replay } from '../../../src/verdict/replay.js';
import { readRequestHeads } from '../../../src/verdict/request-heads.js';
import { parseRequestHead, valuesOf } from '../../../src/wire/http-request.js';
import { parseProxyHeader } from '../../../src/wire/proxy-protocol.js';
import { hasTshark } from '../../support/tshark.js';
import { inFolder } from '../cli/made-io.js';

const CAPTURE = fileURLToPath(new URL('../../../captures/stories/http-requests.pcap.gz', import.meta.url));
const story = findStory('lost-source-ip');
const index = readCapture(CAPTURE);

function resultOf(variant: string, change: (proxy: L7ProxyModel) => L7ProxyModel = (proxy) => proxy) {
  const failure = failureFor(story, index).model;
  const told = variantModel(story, variant, failure, settingOf(index));
  const model = withServices(told, (service) => ({ ...service, l7Proxy: change(service.l7Proxy!) }));
  return replay(index, model, { heads: readRequestHeads(CAPTURE, index, model) });
}

/** TCP payload of a raw IP packet without options. */
function payloadOf(packet: Uint8Array): Uint8Array {
  return packet.subarray(packet[0]! >>> 4 === 4 ? 40 : 60);
}

describe('a rewritten request', () => {
  test('is the client’s own, with the field that the proxy writes', () => {
    const result = resultOf('append-at-the-first-hop');
    for (let row = 0; row < index.flows.count; row++) {
      const request = result.rewrittenRequest(row);
      if (request === null) continue;
      const octets = payloadOf(request.ipPacket);
      const head = parseRequestHead(octets, 0, octets.length)!;
      const { source, src, path } = result.flowVerdict(row);
      const list = valuesOf(head.fields, 'X-Forwarded-For').join(', ');
      // the client's own claim, the client as the load balancer sees it, and whom the proxy gets the connection from
      const claim = source?.application?.forged ?? null;
      const masquerade = source!.steps.find(({ mechanism }) => mechanism === 'masquerade')!.to;
      const node = masquerade.slice(0, masquerade.lastIndexOf(':')).replace(/^\[|\]$/g, '');
      expect(path).toHaveLength(1);
      expect(list).toBe([...(claim === null ? [] : [claim]), src, node].join(', '));
      expect([head.method, valuesOf(head.fields, 'Host')]).toEqual(['GET', ['shop.example']]);
    }
  });

  test('has a PROXY header before it where the proxy sends one', () => {
    const sends = (proxy: L7ProxyModel): L7ProxyModel => ({ ...proxy, sendProxy: 2 });
    const result = resultOf('proxy-protocol', sends);
    const octets = payloadOf(result.rewrittenRequest(0)!.ipPacket);
    const header = parseProxyHeader(octets, 0, octets.length)!;
    const { src, srcPort } = result.flowVerdict(0);
    expect(header.version).toBe(2);
    expect([formatAddress(header.source!.address), header.source!.port]).toEqual([src, srcPort]);
    expect(parseRequestHead(octets, header.end, octets.length)?.isWhole).toBe(true);
  });

  test('stands in the written capture, with right checksums, as tshark reads it', (ctx) => {
    if (!hasTshark) return ctx.skip('tshark is not installed');
    return inFolder((folder) => {
      const path = join(folder, 'written.pcapng');
      const pieces: Uint8Array[] = [];
      const result = resultOf('reset-at-the-first-hop');
      annotateCapture(CAPTURE, result, (octets) => pieces.push(octets.slice()));
      writeFileSync(path, Buffer.concat(pieces));
      const { stdout } = spawnSync('tshark', [
        ...['-n', '-r', path, '-o', 'tcp.check_checksum:TRUE', '-Y', 'frame.interface_id == 1'],
        ...['-T', 'fields', '-e', 'tcp.checksum.status', '-e', 'tcp.payload'],
      ]);
      const seen = stdout.toString().trim().split('\n').sort();
      const expected: string[] = [];
      for (let row = 0; row < index.flows.count; row++) {
        const request = result.rewrittenRequest(row);
        if (request !== null) expected.push(`1\t${Buffer.from(payloadOf(request.ipPacket)).toString('hex')}`);
      }
      expect(expected.length).toBeGreaterThan(100);
      expect(seen).toEqual(expected.sort());
    });
  });
});
