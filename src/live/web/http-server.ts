/** Serves the API over HTTP. */
import type { Server } from 'node:http';
import { serve } from '@hono/node-server';
import type { Hono } from 'hono';
import { FlowfateError } from '../../errors.js';

export interface HttpServer {
  /** like "http://127.0.0.1:8179/" */
  readonly url: string;
  close(): Promise<void>;
}

/** How long a client may take to send its request. */
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 256;

/** Listens at `host` and `port` (0: any that is free). Throws a FlowfateError of code `network` where it cannot. */
export function serveHttp(app: Hono, host: string, port: number): Promise<HttpServer> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname: host, port }, ({ port: bound }) => {
      resolve({
        url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}/`,
        close: () => close(server),
      });
    }) as Server;
    server.requestTimeout = REQUEST_TIMEOUT_MS;
    server.headersTimeout = REQUEST_TIMEOUT_MS;
    server.maxConnections = MAX_CONNECTIONS;
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)));
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
