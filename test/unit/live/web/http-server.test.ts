/** The HTTP server before clients that take and do not give. */
import { connect, type Socket } from 'node:net';
import { Hono } from 'hono';
import { afterEach, expect, test } from 'vitest';
import { type HttpServer, serveHttp } from '../../../../src/live/web/http-server.js';

let server: HttpServer | null = null;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server?.close();
  server = null;
});

async function serveHello(): Promise<{ url: string; port: number }> {
  const app = new Hono();
  app.get('/', (c) => c.text('hello'));
  server = await serveHttp(app, '127.0.0.1', 0);
  return { url: server.url, port: Number(new URL(server.url).port) };
}

/** A client that says `text` and then nothing. */
function silent(port: number, text: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(text);
      resolve(socket);
    });
    socket.once('error', reject);
    socket.on('error', () => {});
    sockets.push(socket);
  });
}

test.each([
  ['say nothing', ''],
  ['never end their request', 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: '],
])('700 clients that %s do not lock others out', async (_, text) => {
  const { url, port } = await serveHello();
  for (let i = 0; i < 700; i++) await silent(port, text);
  expect(await (await fetch(url)).text()).toBe('hello');
});
