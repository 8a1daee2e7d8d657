/** Answers what is asked of a running router over its control socket (control/control-request.ts). */
import { parseAddress } from '../../addr/address.js';
import { formatPrefix, hostPrefix, type Prefix, parsePrefix } from '../../addr/prefix.js';
import { FlowfateError } from '../../errors.js';
import {
  type ConfigChange,
  type GroupRecord,
  MAX_ROWS,
  type RouterAnswer,
  type RouterRequest,
  routerRequest,
} from '../control/control-request.js';
import type { ControlAnswer } from '../control/control-socket.js';
import type { LiveService } from '../live-service.js';
import type { FibEntryView } from '../router-view.js';
import type { FibRecord } from '../web/api-records.js';
import { fibRecord, routeRecord } from '../web/live-status.js';
import type { RouterOperator } from './router-operator.js';

const EVENTS_SHOWN = 60;

export interface RouterControlParts {
  readonly operator: RouterOperator;
  readonly service: LiveService;
  /** Reads the configuration anew, and applies it or not. Throws a FlowfateError where it is wrong. */
  readonly reload: (apply: boolean) => readonly ConfigChange[];
}

export class RouterControl {
  constructor(private readonly parts: RouterControlParts) {}

  /** @param request whatever came over the socket */
  answer(request: unknown): ControlAnswer {
    const parsed = routerRequest.safeParse(request);
    if (!parsed.success) {
      return { ok: false, error: 'the router does not know this request; is it of another version?' };
    }
    try {
      return { ok: true, result: this.dispatch(parsed.data) };
    } catch (error) {
      if (error instanceof FlowfateError) return { ok: false, error: error.message };
      throw error;
    }
  }

  private dispatch(request: RouterRequest): RouterAnswer {
    const { operator, service } = this.parts;
    switch (request.command) {
      case 'show summary':
        return this.summary();
      case 'show neighbors':
        return { kind: 'neighbors', neighbors: operator.neighbors(request.peer) };
      case 'show prefix':
        return this.prefix(request.prefix);
      case 'show routes':
        return this.routes(request);
      case 'show fib':
        return this.fib(request);
      case 'show nexthop-groups':
        return this.groups(request);
      case 'show flows': {
        const { offset, limit } = request;
        const { traffic } = service;
        const { fate, event } = request;
        const page = traffic?.flows({ fate, event, offset, limit }) ?? { total: 0, offset, limit, rows: [] };
        return { kind: 'flows', traffic: traffic?.record() ?? null, ...page };
      }
      case 'show events':
        return { kind: 'events', events: service.book.newest(EVENTS_SHOWN) };
      case 'clear':
        return this.clear(request);
      case 'shutdown':
        return this.act(request.peer, (peer) => operator.shutDown(peer, request.text));
      case 'enable':
        return this.act(request.peer, (peer) => operator.enable(peer));
      case 'drain':
      case 'undrain':
        return this.act(request.name, (peer) => operator.drain(peer, request.command === 'drain'));
      case 'reload': {
        const { apply } = request;
        return { kind: 'reload', applied: apply, changes: this.parts.reload(apply) };
      }
      default:
        return request satisfies never;
    }
  }

  private summary(): RouterAnswer {
    const { operator, service } = this.parts;
    const { view } = operator;
    return {
      kind: 'summary',
      routerId: view.routerId,
      asn: view.asn,
      listen: view.listen,
      uptime: Math.max(0, Math.round((service.clockMs() - view.startedMs) / 1000)),
      tables: view.tables(),
      peers: operator.neighbors(null),
    };
  }

  private prefix(asked: string): RouterAnswer {
    const { operator } = this.parts;
    const { view } = operator;
    const prefix = operator.longestMatch(prefixOf(asked));
    if (prefix === null) {
      return { kind: 'prefix', asked, prefix: null, routes: [], advertisedTo: [], fib: null };
    }
    const range = { peer: null, offset: 0, limit: MAX_ROWS };
    const { rows } = view.routes({ prefix, match: 'exact', ...range });
    const entry = view.entryOf(prefix);
    return {
      kind: 'prefix',
      asked,
      prefix: formatPrefix(prefix),
      routes: rows.map(routeRecord),
      advertisedTo: operator.advertisedTo(prefix),
      fib: entry === null ? null : this.shown(entry),
    };
  }

  private routes(request: Extract<RouterRequest, { command: 'show routes' }>): RouterAnswer {
    const { operator } = this.parts;
    const { offset, limit } = request;
    const { table, family } = request;
    const all = family === null ? null : parsePrefix(family === 4 ? '0.0.0.0/0' : '::/0');
    const prefix = request.prefix === null ? all : prefixOf(request.prefix);
    const peer = request.peer === null ? null : this.onePeer(request.peer);
    if (table === 'advertised') {
      const page = operator.advertised(peer ?? '', prefix, offset, limit);
      return { kind: 'routes', table, ...page, offset, limit };
    }
    const query = { prefix, match: 'longer' as const, peer, offset, limit };
    const { total, rows } =
      table === 'received' ? operator.view.received(query) : operator.view.routes(query);
    return { kind: 'routes', table, total, offset, limit, rows: rows.map(routeRecord) };
  }

  private fib(request: Extract<RouterRequest, { command: 'show fib' }>): RouterAnswer {
    const { view } = this.parts.operator;
    const { offset, limit } = request;
    if (request.prefix !== null) {
      const entry = view.lookup(prefixOf(request.prefix).address);
      const rows = entry === null ? [] : [this.shown(entry)];
      return { kind: 'fib', total: rows.length, offset: 0, limit, rows };
    }
    const page = view.fib(offset, limit);
    return {
      kind: 'fib',
      total: page.total,
      offset,
      limit,
      rows: page.rows.map((entry) => this.shown(entry)),
    };
  }

  private groups(request: Extract<RouterRequest, { command: 'show nexthop-groups' }>): RouterAnswer {
    const { operator } = this.parts;
    const { offset, limit } = request;
    const page = operator.groups(request.prefix === null ? null : prefixOf(request.prefix), offset, limit);
    const rows = page.rows.map((group): GroupRecord => {
      const { prefix, ...rest } = this.shown(group);
      return {
        id: group.id,
        select: operator.view.ecmp.select,
        prefixes: group.prefixes,
        first: prefix,
        ...rest,
      };
    });
    return { kind: 'nexthop-groups', total: page.total, offset, limit, rows };
  }

  private clear({ peer, how }: Extract<RouterRequest, { command: 'clear' }>): RouterAnswer {
    const { operator } = this.parts;
    switch (how) {
      case 'hard':
        return this.act(peer, (one) => operator.reset(one));
      case 'soft':
        return this.act(peer, (one) => operator.refresh(one, 'both'));
      case 'soft in':
        return this.act(peer, (one) => operator.refresh(one, 'in'));
      case 'soft out':
        return this.act(peer, (one) => operator.refresh(one, 'out'));
      default:
        return how satisfies never;
    }
  }

  private act(name: string, one: (peer: ReturnType<RouterOperator['find']>[number]) => string): RouterAnswer {
    return { kind: 'done', lines: this.parts.operator.find(name).map(one) };
  }

  private onePeer(name: string): string {
    return this.parts.operator.find(name)[0]!.settings.id;
  }

  /** With the buckets of the group that the flows really use, where there is traffic to it. */
  private shown(entry: FibEntryView): FibRecord {
    const { traffic } = this.parts.service;
    const load = traffic
      ?.vipLoads()
      .find(({ address }) => formatPrefix(hostPrefix(address)) === formatPrefix(entry.prefix));
    return fibRecord(load === undefined ? entry : { ...entry, buckets: load.buckets }, traffic);
  }
}

function prefixOf(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix !== null) return prefix;
  const address = parseAddress(text);
  if (address !== null) return hostPrefix(address);
  throw new FlowfateError('usage', `"${text}" is neither an address nor a prefix`);
}
