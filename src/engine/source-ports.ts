/**
 * The source ports that MASQUERADE gives. With --random-fully a port is drawn for every connection; without it
 * the client's port is kept where the tuple is free, and drawn otherwise. Uniqueness is per node and target.
 *
 * In random mode collisions are not looked for: what a flow's fate depends on is whether a port is left at all,
 * which TableLimits counts.
 */
import type { ClusterModel } from '../cluster/model.js';
import { portClassFirst, portClassSize } from '../conntrack/port-range.js';
import { draw, Stream, scale } from '../state/draw.js';
import { DEAD, type EntryPool } from './entry-pool.js';
import type { EntryLife } from './table-limits.js';

export class SourcePorts {
  private readonly random: boolean;
  private readonly seed: number;
  /** by node, pod, target and port: the entry that has it */
  private readonly holders = new Map<string, number>();

  constructor(
    model: ClusterModel,
    private readonly entries: EntryPool,
    private readonly life: EntryLife,
  ) {
    this.random = model.dataplane.masqueradeRandomFully;
    this.seed = model.seed;
  }

  /** Gives entry `e` of the flow `key` a source port; `target`: its row in FlowPlan.targets. */
  take(e: number, key: number, clientPort: number, target: number, nowS: number): void {
    const { node, pod, ordinal, port } = this.entries;
    const first = portClassFirst(clientPort);
    const size = portClassSize(clientPort);
    const start = scale(draw(this.seed, node[e]!, Stream.sourcePort, key, ordinal[e]!), size);
    if (this.random) {
      port[e] = first + start;
      return;
    }
    const place = `${node[e]} ${pod[e]} ${target}`;
    let chosen = clientPort;
    for (let i = 0; i < size && this.isTaken(`${place} ${chosen}`, nowS); i++)
      chosen = first + ((start + i) % size);
    port[e] = chosen;
    this.holders.set(`${place} ${chosen}`, e);
  }

  private isTaken(name: string, nowS: number): boolean {
    const holder = this.holders.get(name);
    if (holder === undefined || this.entries.state[holder] === DEAD) return false;
    if (nowS <= this.life.expiresS(holder)) return true;
    this.life.remove(holder);
    return false;
  }
}
