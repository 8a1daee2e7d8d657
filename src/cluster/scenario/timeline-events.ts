/**
 * Timeline entries as events of the model: names become rows, `[n1, n2]` becomes two events, a partial `ecmp`
 * becomes the whole settings in force from then on.
 */
import { dirname, isAbsolute, join } from 'node:path';
import { formatPrefix, type Prefix } from '../../addr/prefix.js';
import type { ErrorPosition } from '../../errors.js';
import { refuseReplicas } from '../check-blocks.js';
import { changedEcmp, ecmpSettings, fitEcmp, refuseEcmp } from '../ecmp-settings.js';
import { EDGE_ACTIONS, type EdgeModel } from '../edge-model.js';
import type { EcmpSettings, NodeModel, RouteNextHop, ServiceModel, TimelineEvent } from '../model.js';
import type { Problems } from '../yaml/problems.js';
import type { Path } from '../yaml/yaml-source.js';
import type { RawPoolMember } from './edge-schema.js';
import { type Place, positionIn, type TimelineFacts } from './facts.js';
import type { RawNextHop } from './field-schemas.js';
import { NameTable, NodeTable } from './name-table.js';
import { memberOf } from './resolve-edge.js';
import { VERBS, type Verb } from './timeline-schema.js';

/** A path in a scenario file is relative to that file, as everywhere else. */
function besideScenario(path: string, scenario: string | undefined): string {
  const isFile = scenario !== undefined && scenario !== '-' && !scenario.startsWith('--event');
  return isAbsolute(path) || !isFile ? path : join(dirname(scenario), path);
}

type WithoutTime<T> = T extends unknown ? Omit<T, 'at'> : never;
type What = WithoutTime<TimelineEvent>;

export interface NamedParts {
  readonly nodes: readonly Pick<
    NodeModel,
    'name' | 'addresses' | 'podCidrs' | 'podGateways' | 'tunnelAddresses' | 'rack'
  >[];
  readonly services: readonly Pick<ServiceModel, 'name' | 'endpoints'>[];
  readonly edge?: EdgeModel | null;
}

export class TimelineReader {
  private readonly nodes: NodeTable;
  private readonly services: NameTable;
  private readonly pods: NameTable;
  private readonly racks: NameTable;

  constructor(
    private readonly parts: NamedParts,
    private readonly problems: Problems,
  ) {
    this.nodes = new NodeTable(parts.nodes);
    this.services = new NameTable(
      'service',
      parts.services.map((service) => service.name),
    );
    this.racks = new NameTable(
      'rack',
      parts.nodes.flatMap(({ rack }) => rack ?? []),
    );
    this.pods = new NameTable(
      'pod',
      parts.services.flatMap((service) => service.endpoints.map((endpoint) => endpoint.pod)),
    );
  }

  /** The events in time order; `initial` are the router's settings at t = 0. */
  read(entries: readonly TimelineFacts[], initial: EcmpSettings): TimelineEvent[] {
    let settings = initial;
    const sorted = [...entries].sort((a, b) => a.entry.at - b.entry.at);
    return sorted.flatMap((facts) => {
      const verb = this.verbOf(facts);
      if (verb === null) return [];
      if (verb === 'ecmp') settings = changedEcmp(settings, ecmpSettings(facts.entry.ecmp ?? {}));
      return this.eventsOf(verb, facts, settings).map((event) => ({ at: facts.entry.at, ...event }));
    });
  }

  /** Next hops of a route: names or addresses of nodes that have an address of the prefix's family. */
  nextHops(prefix: Prefix, raw: readonly RawNextHop[], place: Place): RouteNextHop[] {
    const seen = new Set<number>();
    return raw.flatMap(({ node: name, weight }, i) => {
      const position = positionIn(place, 'nextHops', i);
      const node = this.nodes.rowOf(name);
      if (node === null) {
        this.problems.add(position, `next hop: ${this.nodes.unknown(name)}`);
        return [];
      }
      const { family } = prefix.address;
      const { addresses } = this.parts.nodes[node]!;
      if (addresses.length > 0 && !addresses.some((address) => address.family === family)) {
        const sentence = `next hop ${name} has no IPv${family} address, which ${formatPrefix(prefix)} needs`;
        this.problems.add(position, sentence);
      }
      if (seen.has(node)) {
        this.problems.add(
          position,
          `next hop ${name} stands twice in one route; write "${name}*2" for weight 2`,
        );
      }
      seen.add(node);
      return [{ node, weight }];
    });
  }

  private verbOf({ entry, place }: TimelineFacts): Verb | null {
    const verbs = VERBS.filter((verb) => entry[verb] !== undefined);
    const verb = verbs[0];
    if (verb === undefined) {
      this.problems.add(positionIn(place), `an entry of the timeline needs a verb: ${VERBS.join(', ')}`);
      return null;
    }
    if (verbs.length > 1) {
      const sentence = `an entry of the timeline has one verb, this one has ${verbs.join(' and ')}; write an entry for each`;
      this.problems.add(positionIn(place, verbs[1]!), sentence);
      return null;
    }
    if (entry.mode !== undefined && verb !== 'speakerDown') {
      this.problems.add(positionIn(place, 'mode'), 'mode belongs to speakerDown');
    }
    return verb;
  }

  private eventsOf(verb: Verb, { entry, place }: TimelineFacts, settings: EcmpSettings): What[] {
    const position = positionIn(place, verb);
    switch (verb) {
      case 'withdraw':
      case 'announce':
      case 'speakerUp':
      case 'nodeDown':
      case 'nodeUp':
      case 'uncordon':
      case 'neighborFailed':
      case 'neighborReachable':
      case 'linkDown':
      case 'linkUp':
        return this.nodeRows(entry[verb] ?? [], place, verb).map((node) => ({ kind: verb, node }));
      case 'speakerDown': {
        const { node = [], mode = entry.mode ?? 'close' } = entry.speakerDown ?? {};
        return this.nodeRows(node, place, verb).map((row) => ({ kind: verb, node: row, mode }));
      }
      case 'drain': {
        const { node, gracePeriod } = entry.drain!;
        return this.nodeRows(node, place, verb).map((row) => ({
          kind: verb,
          node: row,
          gracePeriodS: gracePeriod,
        }));
      }
      case 'scale': {
        const { service: name, replicas } = entry.scale!;
        if (name === undefined && this.parts.services.length !== 1) {
          this.problems.add(position, 'scale needs a service where there is more than one');
          return [];
        }
        const service = name === undefined ? 0 : this.services.rowOf(name);
        if (service === null)
          this.problems.add(positionIn(place, verb, 'service'), this.services.unknown(name!));
        if (service === null) return [];
        const refusal = refuseReplicas(this.parts.nodes, this.parts.services, service, replicas);
        if (refusal !== null) this.problems.add(positionIn(place, verb, 'replicas'), refusal);
        return [{ kind: verb, service, replicas }];
      }
      case 'endpointReady':
      case 'endpointUnready':
      case 'endpointTerminating':
      case 'endpointGone':
      case 'endpointCrashed':
        return this.podNames(entry[verb] ?? [], position).map((pod) => ({ kind: verb, pod }));
      case 'unhealthy': {
        const { pod: pods, for: forS, latency = Number.POSITIVE_INFINITY } = entry.unhealthy!;
        return this.podNames(pods, position).map((pod) => ({ kind: verb, pod, forS, latencyS: latency }));
      }
      case 'throttle': {
        const { pod: pods, for: forS, burst, sleep, work, ...limit } = entry.throttle!;
        const settings = { ...limit, burstS: burst, sleepS: sleep, workS: work };
        return this.podNames(pods, position).map((pod) => ({ kind: verb, pod, forS, ...settings }));
      }
      case 'rackDown':
      case 'rackUp': {
        const kind = verb === 'rackDown' ? 'nodeDown' : 'nodeUp';
        return (entry[verb] ?? [])
          .flatMap((rack) => this.nodesOf(rack, position))
          .map((node) => ({ kind, node }));
      }
      case 'rollingRedeploy': {
        const { nodes, every, downFor } = entry.rollingRedeploy!;
        const rows =
          nodes === undefined
            ? this.parts.nodes.map((_, row) => row)
            : this.nodeRows(nodes, place, verb, 'nodes');
        return [{ kind: verb, nodes: rows, everyS: every, downForS: downFor }];
      }
      case 'proxyStall': {
        const { node = [], nodes = [], for: forS } = entry.proxyStall!;
        const rows = [
          ...this.nodeRows(node, place, verb, 'node'),
          ...this.nodeRows(nodes, place, verb, 'nodes'),
        ];
        return [{ kind: verb, nodes: rows, forS }];
      }
      case 'poolMember':
        return this.poolMembers(entry.poolMember!, place);
      case 'route': {
        const { prefix, nextHops } = entry.route!;
        const inner = { ...place, path: [...place.path, 'route'] };
        return [{ kind: verb, prefix, nextHops: this.nextHops(prefix, nextHops, inner) }];
      }
      case 'rulesBecome': {
        const { node, file } = entry.rulesBecome!;
        return this.nodeRows([node], place, verb, 'node').map((row) => ({
          kind: verb,
          node: row,
          paths: file.map((path) => besideScenario(path, position.file)),
          files: [],
        }));
      }
      case 'ecmp':
        return this.settingsEvent(settings, position);
    }
  }

  /** One action on one member or several; only the first action counts, a second one is refused. */
  private poolMembers(raw: RawPoolMember, place: Place): What[] {
    const at = (...inner: Path) => positionIn(place, 'poolMember', ...inner);
    const { edge = null } = this.parts;
    if (edge === null) {
      this.problems.add(at(), 'poolMember acts on a pool of spec.edge, and this scenario has no edge');
      return [];
    }
    const pools = new NameTable(
      'pool',
      edge.pools.map(({ name }) => name),
    );
    const pool = raw.pool === undefined ? (edge.pools.length === 1 ? 0 : null) : pools.rowOf(raw.pool);
    const actions = EDGE_ACTIONS.filter((action) => raw[action] !== undefined);
    if (pool === null) {
      const sentence =
        raw.pool === undefined
          ? 'poolMember needs a pool where there is more than one'
          : pools.unknown(raw.pool);
      this.problems.add(at(), sentence);
      return [];
    }
    if (actions.length !== 1) {
      this.problems.add(at(), `poolMember needs one of ${EDGE_ACTIONS.join(', ')}, like { add: n5 }`);
      return [];
    }
    const action = actions[0]!;
    const { ratio = 1, session = 'enabled' } = raw;
    if (action !== 'add' && (raw.ratio !== undefined || raw.session !== undefined)) {
      this.problems.add(at(), 'ratio and session belong to a member that is added');
    }
    const service = edge.virtualServers.find((server) => server.pool === pool)?.service;
    return raw[action]!.flatMap((name): What[] => {
      const member = memberOf(name, edge.pools[pool]!.target, service, this.parts);
      if (typeof member !== 'string')
        return [{ kind: 'poolMember', pool, action, member: { ...member, ratio, session } }];
      this.problems.add(at(action), member);
      return [];
    });
  }

  private podNames(pods: readonly string[], position: ErrorPosition): readonly string[] {
    return pods.filter((pod) => {
      if (this.pods.has(pod)) return true;
      this.problems.add(position, this.pods.unknown(pod));
      return false;
    });
  }

  private nodesOf(rack: string, position: ErrorPosition): number[] {
    const rows = this.parts.nodes.flatMap((node, row) => (node.rack === rack ? [row] : []));
    if (rows.length === 0) this.problems.add(position, this.racks.unknown(rack));
    return rows;
  }

  private settingsEvent(settings: EcmpSettings, position: ErrorPosition): What[] {
    const refusal = refuseEcmp(settings, this.parts.nodes.length);
    if (refusal !== null) this.problems.add(position, refusal);
    return [{ kind: 'ecmp', settings: fitEcmp(settings) }];
  }

  private nodeRows(names: readonly string[], place: Place, ...inner: string[]): number[] {
    return names.flatMap((name, i) => {
      const row = this.nodes.rowOf(name);
      if (row !== null) return [row];
      const path = names.length > 1 ? [...inner, i] : inner;
      this.problems.add(positionIn(place, ...path), this.nodes.unknown(name));
      return [];
    });
  }
}
