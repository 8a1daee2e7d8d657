/**
 * The way back: whether what the server of a connection sends reaches its client, through the entry by which its pod
 * answers, and what follows where it does not.
 */
import { nextTcpState, REPLY, Segment, type TcpState } from '../conntrack/tcp-states.js';
import type { ClusterState } from '../state/cluster-state.js';
import { HopKind, hopCode, ReasonCode } from '../state/disposition.js';
import { DEAD, STATELESS } from './entry-pool.js';
import type { NodeWalk } from './node-walk.js';

/** instance of no pod */
const NO_INSTANCE = -1;

export class ServerPath {
  /** why the last packet that was asked about does not come back, and where it is lost */
  reason = 0;
  hop = 0;

  constructor(
    private readonly walk: NodeWalk,
    private readonly cluster: ClusterState,
    /** see ClientSide */
    private readonly lingerS: Float64Array,
  ) {}

  /** Whether what the server sends now would come back to the client; if not, {@link reason} says why. */
  reaches(f: number, nowS: number): boolean {
    const { cluster, walk } = this;
    const home = walk.answeredBy[f]!;
    if (home < 0 || walk.guessed[f] === 1 || nowS <= this.lingerS[f]!) return true;
    const { entries } = walk;
    const pod = cluster.pods[entries.pod[home]!]!;
    const node = entries.node[home]!;
    if (!cluster.isUp(pod.node)) {
      this.lose(ReasonCode['node-down'], hopCode(HopKind.node, pod.node));
    } else if (!cluster.nodeUp[node] || entries.boot[home] !== cluster.nodeBoot[node]) {
      this.lose(ReasonCode['node-down'], hopCode(HopKind.node, node));
    } else if (!pod.running || walk.connectedTo[f] !== pod.instance) {
      this.lose(ReasonCode['endpoint-gone'], hopCode(HopKind.endpoint, pod.row));
    } else if (entries.state[home] === DEAD || entries.flow[home] !== f || nowS > walk.expiresS(home)) {
      this.lose(ReasonCode['entry-expired'], hopCode(HopKind.node, node));
    } else {
      const barred = walk.real.back(home, Segment.ack);
      if (barred === null) return true;
      walk.real.note(f, barred);
      this.lose(barred.reason, hopCode(HopKind.node, node));
    }
    return false;
  }

  /** What the server sent came back: it renews the entry of the connection. */
  sends(f: number, nowS: number): void {
    const { walk } = this;
    const home = walk.answeredBy[f]!;
    if (home < 0 || walk.guessed[f] === 1 || nowS <= this.lingerS[f]!) return;
    walk.entries.lastS[home] = nowS;
  }

  /**
   * What the server sent found no entry, so it left its node untranslated: whoever got it knew no such connection and
   * answered RST, or else the entry that it made there stands in the client's way. Either way the client's next segment
   * is reset (measured on Linux 6.18).
   */
  lost(f: number): void {
    if (this.reason === ReasonCode['entry-expired']) this.walk.connectedTo[f] = NO_INSTANCE;
  }

  /** Whether the entry through which the endpoint answers has expired, so that the server's next packet is lost. */
  isForgotten(f: number, nowS: number): boolean {
    const { walk } = this;
    const home = walk.answeredBy[f]!;
    if (home < 0 || walk.guessed[f] === 1) return false;
    return walk.entries.state[home] === DEAD || nowS > walk.expiresS(home);
  }

  /** The server's FIN passes through the entry of the connection. */
  closes(f: number): void {
    const { entries } = this.walk;
    const home = this.walk.answeredBy[f]!;
    if (home < 0 || entries.state[home]! >= STATELESS) return;
    const next = nextTcpState(REPLY, Segment.fin, entries.state[home] as TcpState);
    this.walk.step(home, next);
  }

  private lose(reason: number, hop: number): void {
    this.reason = reason;
    this.hop = hop;
  }
}
