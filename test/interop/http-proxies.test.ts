/**
 * Real HAProxy and nginx beside the model of an L7 proxy: the same requests go through both, and the forwarding
 * field, the PROXY header and the refusals must be the same. Needs both programs; runs on loopback.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatAddress, parseAddress } from '../../src/addr/address.js';
import { parsePrefix } from '../../src/addr/prefix.js';
import type { L7ProxyModel } from '../../src/cluster/l7-model.js';
import { proxyRequest } from '../../src/state/l7-proxy.js';
import { parseRequestHead, valuesOf } from '../../src/wire/http-request.js';
import { parseProxyHeader, writeProxyHeader } from '../../src/wire/proxy-protocol.js';
import { hasProgram } from '../support/daemons.js';

const LOOPBACK = parseAddress('127.0.0.1')!;
const CLIENT = { address: parseAddress('203.0.113.7')!, port: 5555 };
const VIP = { address: parseAddress('198.51.100.1')!, port: 80 };
const TRUST_ALL_HERE = [parsePrefix('127.0.0.0/8')!, parsePrefix('10.0.0.0/8')!];
const TRUST_NOBODY_HERE = [parsePrefix('192.0.2.0/24')!];

const MODEL: L7ProxyModel = {
  kind: 'nginx',
  field: 'x-forwarded-for',
  forward: 'off',
  trusted: [],
  insecure: false,
  realIp: 'peer',
  acceptProxy: 'off',
  sendProxy: 0,
  application: { addresses: [], port: 80, reads: 'peer', take: 'first', trusted: [] },
};

interface Case {
  readonly program: 'haproxy' | 'nginx';
  /** lines of the frontend or server block; LISTEN is its address */
  readonly lines: readonly string[];
  readonly model: Partial<L7ProxyModel>;
}

const nginxSends = 'proxy_set_header X-Forwarded-For';
const CASES: readonly Case[] = [
  { program: 'haproxy', lines: ['bind LISTEN'], model: {} },
  { program: 'haproxy', lines: ['bind LISTEN', 'option forwardfor'], model: { forward: 'add' } },
  {
    program: 'haproxy',
    lines: ['bind LISTEN', 'http-request set-header X-Forwarded-For %[src]'],
    model: { forward: 'replace' },
  },
  {
    program: 'haproxy',
    lines: ['bind LISTEN accept-proxy', 'option forwardfor'],
    model: { forward: 'add', acceptProxy: 'required' },
  },
  {
    program: 'haproxy',
    lines: ['bind LISTEN', 'option forwardfor', 'default_backend app-proxy-1'],
    model: { forward: 'add', sendProxy: 1 },
  },
  {
    program: 'haproxy',
    lines: ['bind LISTEN', 'default_backend app-proxy-2'],
    model: { sendProxy: 2 },
  },
  { program: 'nginx', lines: ['listen LISTEN;'], model: {} },
  {
    program: 'nginx',
    lines: ['listen LISTEN;', `${nginxSends} $proxy_add_x_forwarded_for;`],
    model: { forward: 'append' },
  },
  {
    program: 'nginx',
    lines: ['listen LISTEN;', `${nginxSends} $remote_addr;`],
    model: { forward: 'replace' },
  },
  {
    program: 'nginx',
    lines: [
      'listen LISTEN proxy_protocol;',
      'real_ip_header proxy_protocol;',
      'set_real_ip_from 127.0.0.0/8;',
      `${nginxSends} $remote_addr;`,
    ],
    model: { forward: 'replace', acceptProxy: 'required' },
  },
  {
    program: 'nginx',
    lines: [
      'listen LISTEN;',
      'set_real_ip_from 127.0.0.0/8;',
      'set_real_ip_from 10.0.0.0/8;',
      'real_ip_header X-Forwarded-For;',
      `${nginxSends} $remote_addr;`,
    ],
    model: { forward: 'replace', realIp: 'last', trusted: TRUST_ALL_HERE },
  },
  {
    program: 'nginx',
    lines: [
      'listen LISTEN;',
      'set_real_ip_from 127.0.0.0/8;',
      'set_real_ip_from 10.0.0.0/8;',
      'real_ip_recursive on;',
      'real_ip_header X-Forwarded-For;',
      `${nginxSends} $proxy_add_x_forwarded_for;`,
    ],
    model: { forward: 'append', realIp: 'rightmost-untrusted', trusted: TRUST_ALL_HERE },
  },
  {
    program: 'nginx',
    lines: [
      'listen LISTEN;',
      'set_real_ip_from 192.0.2.0/24;',
      'real_ip_header X-Forwarded-For;',
      `${nginxSends} $remote_addr;`,
    ],
    model: { forward: 'replace', realIp: 'last', trusted: TRUST_NOBODY_HERE },
  },
];

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
const REQUEST = 'GET /a HTTP/1.1\r\nHost: app\r\n';
const SENT: Readonly<Record<string, string>> = {
  'a plain request': `${REQUEST}\r\n`,
  'a forged list': `${REQUEST}X-Forwarded-For: 203.0.113.9, 10.1.1.1\r\n\r\n`,
  'two forged fields': `${REQUEST}X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 198.51.100.99\r\n\r\n`,
  'a PROXY header of version 1': `${latin1(writeProxyHeader(1, CLIENT, VIP))}${REQUEST}\r\n`,
  'a PROXY header of version 2': `${latin1(writeProxyHeader(2, CLIENT, VIP))}${REQUEST}\r\n`,
};

/** What the application saw: the addresses of its X-Forwarded-For fields and of the PROXY header before them. */
interface Seen {
  readonly entries: readonly string[];
  readonly announced: string | null;
}

function seenBy(octets: Uint8Array): Seen {
  const header = parseProxyHeader(octets, 0, octets.length);
  const head = parseRequestHead(octets, header?.end ?? 0, octets.length)!;
  return {
    entries: entriesOf(valuesOf(head.fields, 'X-Forwarded-For')),
    announced: header?.source ? formatAddress(header.source.address) : null,
  };
}

const entriesOf = (values: readonly string[]): string[] =>
  values.flatMap((value) => value.split(',').map((entry) => entry.trim()));

/** The same, by the model; null where it refuses the connection. */
function predicted(model: L7ProxyModel, sent: string): Seen | null {
  const octets = Buffer.from(sent, 'latin1');
  const header = parseProxyHeader(octets, 0, octets.length);
  const { fields } = parseRequestHead(octets, header?.end ?? 0, octets.length)!;
  const announced = header?.source?.address ?? null;
  const { request, fault } = proxyRequest(model, { peer: LOOPBACK, announced, fields }, LOOPBACK);
  if (fault !== null) return null;
  return {
    entries: entriesOf(valuesOf(request.fields, 'X-Forwarded-For')),
    announced: request.announced === null ? null : formatAddress(request.announced),
  };
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return (server.address() as AddressInfo).port;
}

/** A port that nobody has now; the program that is started next takes it. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  await new Promise((done) => server.close(done));
  return port;
}

const lacking = ['haproxy', 'nginx'].filter((name) => !hasProgram(name));

describe('a real proxy and its model', () => {
  const folder = mkdtempSync(join(tmpdir(), 'flowfate-proxies-'));
  const programs: ChildProcess[] = [];
  const ports: number[] = [];
  const received: Uint8Array[] = [];
  const application = createServer((socket) => {
    const chunks: Uint8Array[] = [];
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      const octets = Buffer.concat(chunks);
      if (!octets.includes('\r\n\r\n', octets.indexOf('HTTP/1.'))) return;
      received.push(octets);
      socket.end('HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n');
    });
  });

  beforeAll(async () => {
    if (lacking.length > 0) return;
    const backend = await listening(application);
    for (const _ of CASES) ports.push(await freePort());
    writeFileSync(join(folder, 'haproxy.cfg'), haproxyConfig(backend, ports));
    writeFileSync(join(folder, 'nginx.conf'), nginxConfig(backend, ports, folder));
    for (const name of ['body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']) mkdirSync(join(folder, name));
    programs.push(spawn('haproxy', ['-f', join(folder, 'haproxy.cfg')], { stdio: 'ignore' }));
    programs.push(spawn('nginx', ['-c', join(folder, 'nginx.conf')], { stdio: 'ignore' }));
    for (const port of ports) await untilOpen(port);
  });

  afterAll(async () => {
    for (const program of programs) {
      const gone = new Promise((done) => program.once('exit', done));
      if (program.kill()) await gone;
    }
    application.close();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const [row, { program, lines, model }] of CASES.entries()) {
    const name = lines.join(' ').replaceAll('LISTEN', '');
    test(`agree on what ${program} does with:${name}`, async (ctx) => {
      if (lacking.length > 0)
        return ctx.skip(`needs ${lacking.join(' and ')} (Debian packages of that name)`);
      for (const [what, sent] of Object.entries(SENT)) {
        received.length = 0;
        await ask(ports[row]!, sent);
        const real = received.length === 0 ? null : seenBy(received[0]!);
        expect({ what, seen: real }).toEqual({ what, seen: predicted({ ...MODEL, ...model }, sent) });
      }
    });
  }
});

function haproxyConfig(backend: number, ports: readonly number[]): string {
  const frontends = CASES.flatMap(({ program, lines }, row) => {
    if (program !== 'haproxy') return [];
    const own = lines.some((line) => line.startsWith('default_backend')) ? [] : ['default_backend app'];
    const text = [...lines, ...own].map((line) => `  ${line.replace('LISTEN', `127.0.0.1:${ports[row]}`)}`);
    return [`frontend case-${row}`, ...text];
  });
  const backends = [
    ['app', ''],
    ['app-proxy-1', 'send-proxy'],
    ['app-proxy-2', 'send-proxy-v2'],
  ].flatMap(([name, option]) => [`backend ${name}`, `  server one 127.0.0.1:${backend} ${option}`]);
  const timeouts = ['connect', 'client', 'server'].map((name) => `  timeout ${name} 2s`);
  return [...['defaults', '  mode http'], ...timeouts, ...frontends, ...backends, ''].join('\n');
}

function nginxConfig(backend: number, ports: readonly number[], folder: string): string {
  const servers = CASES.flatMap(({ program, lines }, row) => {
    if (program !== 'nginx') return [];
    const text = lines.map((line) => line.replace('LISTEN', `127.0.0.1:${ports[row]}`)).join(' ');
    return [`server { ${text} location / { proxy_pass http://127.0.0.1:${backend}; } }`];
  });
  const temporary = [
    ['client_body', 'body'],
    ['proxy', 'proxy'],
    ['fastcgi', 'fastcgi'],
    ['uwsgi', 'uwsgi'],
    ['scgi', 'scgi'],
  ].map(([name, path]) => `${name}_temp_path ${folder}/${path};`);
  const head = [`daemon off; pid ${folder}/pid; error_log ${folder}/error.log;`, 'events {}'];
  return [...head, 'http {', 'access_log off;', ...temporary, ...servers, '}', ''].join('\n');
}

async function untilOpen(port: number): Promise<void> {
  for (let tries = 0; ; tries++) {
    const isOpen = await new Promise<boolean>((done) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        done(true);
      });
      socket.on('error', () => done(false));
    });
    if (isOpen) return;
    if (tries > 100) throw new Error(`nothing listens on port ${port}`);
    await wait(50);
  }
}

/** Sends `octets`; resolves when the proxy has answered or closed. */
function ask(port: number, octets: string): Promise<void> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(octets, 'latin1'));
    socket.on('data', () => socket.end());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => done());
  });
}
