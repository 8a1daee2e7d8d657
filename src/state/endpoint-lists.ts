/**
 * The endpoints of every service port, as they are listed at one moment: what kube-proxy on any node would write from
 * it. One snapshot is shared by all nodes that read it; lists that did not change are the same arrays as before.
 *
 * Endpoints that are ready count; where a list has none, those that are serving and terminating do, decided separately
 * for the whole cluster and for a node (KEP-1669). Hints narrow the cluster's list where every ready endpoint has
 * one: to the node's own, or else to its zone's, if there are any. Source: pkg/proxy/topology.go (CategorizeEndpoints).
 */
import type { NodeModel } from '../cluster/model.js';

/** One endpoint of a service port, with the conditions of its slice. */
export interface Listed {
  /** row of its pod */
  readonly pod: number;
  /** -1: outside the cluster */
  readonly node: number;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly zoneHints: readonly string[];
  readonly nodeHints: readonly string[];
}

const NONE: readonly number[] = [];

export class PortLists {
  /** ready ones, or else those that terminate and still serve */
  readonly all: readonly number[];
  private readonly byNode: ReadonlyMap<number, readonly number[]>;
  private readonly byNodeHint: ReadonlyMap<string, readonly number[]> | null;
  private readonly byZoneHint: ReadonlyMap<string, readonly number[]> | null;
  private readonly signature: string;

  constructor(listed: readonly Listed[]) {
    const ready = listed.filter((one) => one.ready);
    const ending = listed.filter((one) => !one.ready && one.serving && one.terminating);
    this.all = rows(ready.length > 0 ? ready : ending);
    this.byNode = new Map([...grouped(ending, nodeOf), ...grouped(ready, nodeOf)]);
    const hinted = (hints: 'nodeHints' | 'zoneHints') =>
      ready.length > 0 && ready.every((one) => one[hints].length > 0)
        ? grouped(ready, (one) => one[hints])
        : null;
    this.byNodeHint = hinted('nodeHints');
    this.byZoneHint = hinted('zoneHints');
    this.signature = `${this.all.join()} ${[...this.byNode].join(';')}`;
  }

  /** Under policy Cluster, on a node. */
  cluster({ name, zone }: Pick<NodeModel, 'name' | 'zone'>): readonly number[] {
    const near = this.byNodeHint?.get(name) ?? (zone === undefined ? undefined : this.byZoneHint?.get(zone));
    return near ?? this.all;
  }

  /** Under policy Local, on a node. */
  local(node: number): readonly number[] {
    return this.byNode.get(node) ?? NONE;
  }

  sameAs(other: PortLists): boolean {
    return this.signature === other.signature;
  }
}

function nodeOf({ node }: Listed): number[] {
  return node < 0 ? [] : [node];
}

function grouped<K>(listed: readonly Listed[], keysOf: (one: Listed) => readonly K[]): Map<K, number[]> {
  const groups = new Map<K, number[]>();
  for (const one of listed) {
    for (const key of keysOf(one)) {
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [one.pod]);
      else group.push(one.pod);
    }
  }
  return groups;
}

function rows(listed: readonly Listed[]): number[] {
  return listed.map(({ pod }) => pod);
}
