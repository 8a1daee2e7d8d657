/**
 * Serves the API over HTTP. Nobody locks others out: connections are bounded, and where there are too many the oldest
 * that is not being answered gives way, one that dawdles over its request as well as one that is kept open for later.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { serve } from '@hono/node-server';
import type { Hono } from 'hono';
import { FlowfateError } from '../../errors.js';

export interface HttpServer {
  /** like "http://127.0.0.1:8179/" */
  readonly url: string;
  close(): Promise<void>;
}

/** How long a client may take to send its request, and how often that is looked at. */
const REQUEST_TIMEOUT_MS = 10_000;
const CHECK_MS = 2000;
/** more than twice the readers that the event stream takes (event-stream.ts) */
const MAX_CONNECTIONS = 512;

/** Listens at `host` and `port` (0: any that is free). Throws a FlowfateError of code `network` where it cannot. */
export function serveHttp(app: Hono, host: string, port: number): Promise<HttpServer> {
  return new Promise((resolve, reject) => {
    const settings = {
      fetch: app.fetch,
      hostname: host,
      port,
      serverOptions: {
        requestTimeout: REQUEST_TIMEOUT_MS,
        headersTimeout: REQUEST_TIMEOUT_MS,
        connectionsCheckingInterval: CHECK_MS,
      },
    };
    const server = serve(settings, ({ port: bound }) => {
      resolve({
        url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}/`,
        close: () => close(server),
      });
    }) as Server;
    boundConnections(server, MAX_CONNECTIONS);
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)));
  });
}

/** Of more connections than `most`, the oldest without a request in hand is closed; the newest where all have one. */
function boundConnections(server: Server, most: number): void {
  const all = new Set<Socket>();
  const answered = new Set<Socket>();
  server.on('connection', (socket) => {
    all.add(socket);
    socket.once('close', () => {
      all.delete(socket);
      answered.delete(socket);
    });
    if (all.size <= most) return;
    for (const other of all) {
      if (answered.has(other)) continue;
      other.destroy();
      return;
    }
  });
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    answered.add(socket);
    response.once('close', () => {
      answered.delete(socket);
      // among those that wait, it is the youngest now
      if (all.delete(socket)) all.add(socket);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function listenError({ code, message }: NodeJS.ErrnoException, host: string, port: number): FlowfateError {
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE: 'the port is in use; choose another one with --http',
    EACCES: 'there is no right to bind it; choose a port from 1024 on',
    EADDRNOTAVAIL: 'no interface of this machine has that address',
  };
  return new FlowfateError('network', `cannot serve HTTP at ${host}:${port}: ${why[code ?? ''] ?? message}`);
}
