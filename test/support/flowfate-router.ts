/** A running `flowfate router`, started in a namespace and asked through its HTTP API. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type {
  FibRecord,
  Listing,
  PeerRecord,
  RouteRecord,
  SummaryRecord,
} from '../../src/live/web/api-records.js';
import { ApiClient } from './api-client.js';
import { startFlowfate } from './flowfate-process.js';
import type { Host, HostProcess } from './netns.js';
import { until } from './wait.js';

/** A peer as the configuration's page of the contract has it; all keys beside the address are optional there. */
export interface RouterPeer {
  readonly address: string;
  readonly [key: string]: unknown;
}

export interface RouterSpec {
  readonly asn: number;
  readonly routerId: string;
  readonly listen: readonly string[];
  readonly peers: readonly RouterPeer[];
  readonly [key: string]: unknown;
}

export class FlowfateRouter {
  private process: HostProcess | null = null;
  private api: ApiClient | null = null;

  constructor(
    readonly host: Host,
    public spec: RouterSpec,
  ) {}

  async start(...args: string[]): Promise<void> {
    this.process = await startFlowfate(this.host, 'router', this.text(), args);
    this.api ??= new ApiClient(this.host);
    await until('the API', () => this.summary());
  }

  /** Writes the configuration as it is now and lets the router read it again (SIGHUP). */
  reload(spec: RouterSpec): void {
    this.spec = spec;
    writeFileSync(join(this.host.dir, `${this.host.name}-router.yaml`), this.text());
    this.process!.signal('SIGHUP');
  }

  async stop(): Promise<void> {
    await this.process?.stop();
  }

  async kill(): Promise<void> {
    await this.process?.kill();
  }

  close(): void {
    this.api?.close();
  }

  log(): string {
    return this.process?.log() ?? '';
  }

  summary(): Promise<SummaryRecord> {
    return this.api!.get('/api/v1/summary');
  }

  async peers(): Promise<readonly PeerRecord[]> {
    return (await this.api!.get<{ peers: PeerRecord[] }>('/api/v1/peers')).peers;
  }

  async established(): Promise<Set<string>> {
    const up = (await this.peers()).filter(({ state }) => state === 'Established');
    return new Set(up.map(({ address }) => address));
  }

  async rib(prefix: string): Promise<readonly RouteRecord[]> {
    const query = `prefix=${encodeURIComponent(prefix)}`;
    return (await this.api!.get<Listing<RouteRecord>>(`/api/v1/rib?${query}`)).rows;
  }

  /** Next hops by prefix, in the order of the router's table. */
  async fib(): Promise<ReadonlyMap<string, readonly string[]>> {
    const { rows } = await this.api!.get<Listing<FibRecord>>('/api/v1/fib');
    return new Map(rows.map(({ prefix, nextHops }) => [prefix, nextHops.map(({ nextHop }) => nextHop)]));
  }

  private text(): string {
    const spec = { http: '127.0.0.1:8179', ...this.spec };
    return stringify({ apiVersion: 'flowfate.dev/v1', kind: 'Router', spec });
  }
}
