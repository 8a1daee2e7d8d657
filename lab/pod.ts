/**
 * A pod, over TCP and UDP: answers every line it gets with the line, its own name, and the address and port that it sees
 * as the other side. `id n push MS COUNT` has it send COUNT lines by itself, one every MS milliseconds; a connection
 * whose client has closed its side stays open until they are sent. SIGTERM ends it at once; the kernel then closes its
 * connections, as with a container.
 */
import { createSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import { POD_PORT } from './layout.js';

const [name = 'pod'] = process.argv.slice(2);
const plain = (address: string): string => address.replace(/^::ffff:/, '');
/** beside a pushed line, so that it fills a segment */
const PUSHED_BYTES = 200;

function serve(socket: Socket): void {
  const source = `${plain(socket.remoteAddress ?? '')} ${socket.remotePort}`;
  let rest = '';
  let pushing = 0;
  let ended = false;
  const push = (id: string, k: number, everyMs: number, count: number): void => {
    if (socket.destroyed) return;
    socket.write(`${id} push${k} ${name} ${source} ${'x'.repeat(PUSHED_BYTES)}\n`);
    if (k < count) setTimeout(() => push(id, k + 1, everyMs, count), everyMs);
    else if (--pushing === 0 && ended) socket.end();
  };
  socket.setNoDelay(true);
  socket.setEncoding('latin1');
  // a reset is the client's business; it shows in what the client saw
  socket.on('error', () => socket.destroy());
  socket.on('end', () => {
    ended = true;
    if (pushing === 0) socket.end();
  });
  socket.on('data', (text) => {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      const [id = '', , verb, everyMs, count] = line.split(' ');
      if (verb === 'push') {
        pushing++;
        push(id, 1, Number(everyMs), Number(count));
      } else socket.write(`${line} ${name} ${source}\n`);
    }
  });
}

const datagrams = createSocket({ type: 'udp6', ipv6Only: false });
datagrams.on('message', (message, from) => {
  const line = message.toString('latin1').trimEnd();
  datagrams.send(`${line} ${name} ${plain(from.address)} ${from.port}\n`, from.port, from.address, () => {});
});
const listening = createServer({ allowHalfOpen: true }, serve);
datagrams.bind(POD_PORT, '::', () =>
  listening.listen({ host: '::', port: POD_PORT, backlog: 4096 }, () => console.log('listening')),
);
