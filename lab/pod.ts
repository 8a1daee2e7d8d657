/**
 * A pod: answers every line it gets on a connection with the line, its own name, and the address and port that it
 * sees as the other side. SIGTERM ends it at once; the kernel then closes its connections, as with a container.
 */
import { createServer, type Socket } from 'node:net';
import { POD_PORT } from './layout.js';

const [name = 'pod'] = process.argv.slice(2);

function serve(socket: Socket): void {
  const address = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  const port = socket.remotePort;
  let rest = '';
  socket.setNoDelay(true);
  socket.setEncoding('latin1');
  // a reset is the client's business; it shows in what the client saw
  socket.on('error', () => socket.destroy());
  socket.on('data', (text) => {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop()!;
    for (const line of lines) socket.write(`${line} ${name} ${address} ${port}\n`);
  });
}

createServer(serve).listen({ host: '::', port: POD_PORT, backlog: 4096 }, () => console.log('listening'));
