import { describe, expect, test } from 'vitest';
import { Connection } from '../../../src/explain/connection.js';
import { flowRow } from '../../../src/flow/flow-rows.js';
import { readCapture } from '../../../src/flow/read-capture.js';
import { senderServes } from '../../../src/flow/server-side.js';
import { type Conversation, readConversations, recordsOf } from '../../support/conversation.js';
import { pcapFile, withFile } from '../../support/frames.js';

const TCP = 6;
const UDP = 17;

describe('senderServes()', () => {
  test.each([
    ['a well-known port, whoever sends first', TCP, 80, 40000, true],
    ['the other side’s well-known port', TCP, 40000, 80, false],
    ['a registered port before a dynamic one', TCP, 8080, 51000, true],
    ['the lower of two registered ports', TCP, 5432, 20000, true],
    ['the lower of two dynamic ports', TCP, 50001, 40001, false],
    ['nobody by equal ports', TCP, 5000, 5000, false],
    ['a response to a request before the capture', UDP, 53, 40000, true],
    ['the receiver, between two peers of a kind', UDP, 40001, 50001, false],
    ['the receiver, of equal ports', UDP, 123, 123, false],
  ])('%s', (_, proto, sender, other, serves) => {
    expect(senderServes(proto, sender, other)).toBe(serves);
  });
});

describe('a connection of which the capture begins with the server', () => {
  const middle = (serverPort: number): Conversation => ({
    clientPort: 40000,
    serverPort,
    script: '0 s data 100\n0.01 c ack\n0.1 c data 20\n0.11 s ack',
  });

  test('has the same client in the flow table and in the post-mortem', () => {
    for (const port of [80, 8080]) {
      const row = withFile(pcapFile(recordsOf([middle(port)])), (path) =>
        flowRow(readCapture(path).flows, 0, null),
      );
      expect(row).toMatchObject({ src: '198.51.100.7', srcPort: 40000, dst: '203.0.113.10', dstPort: port });
      const connection = new Connection(readConversations([middle(port)]).table).moveTo(0);
      expect([connection.clientPort, connection.serverPort]).toEqual([40000, port]);
    }
  });

  test('where a handshake was seen, it alone says who is the client', () => {
    const script = '0 c SYN\n0.01 s SYNACK\n0.02 c ack';
    const odd = { clientPort: 700, serverPort: 40000, script };
    const row = withFile(pcapFile(recordsOf([odd])), (path) => flowRow(readCapture(path).flows, 0, null));
    expect(row).toMatchObject({ srcPort: 700, dstPort: 40000 });
  });
});
