/**
 * The cluster behind a living router: a model whose nodes are the next hops that the router has met.
 *
 * With a scenario its nodes, services, policies and endpoints stand from the beginning; a next hop that is none of
 * its nodes becomes a node without endpoints. Without one every next hop is a node with an endpoint of each service, as
 * in a scenario made from a capture. Nothing of a scenario's timeline acts: what happens comes from the router.
 */
import { type Address, formatAddress } from '../../addr/address.js';
import type { ClusterModel, EcmpSettings, NodeModel } from '../../cluster/model.js';
import { EventLog } from '../../outcome/blame.js';
import { ClusterState } from '../../state/cluster-state.js';
import { RouterState } from '../../state/router-state.js';

export class LiveWorld {
  readonly model: ClusterModel;
  readonly cluster: ClusterState;
  readonly router: RouterState;
  readonly log: EventLog;
  /** how many nodes there are that no scenario named */
  met = 0;
  private readonly nodes: NodeModel[];
  private readonly rowOf = new Map<string, number>();

  constructor(
    base: ClusterModel,
    ecmp: EcmpSettings,
    /** a next hop brings endpoints of its own */
    private readonly made: boolean,
  ) {
    this.nodes = made ? [] : [...base.nodes];
    this.model = {
      ...base,
      router: { ...base.router, ecmp, routes: [] },
      nodes: this.nodes,
      services: made ? base.services.map((service) => ({ ...service, endpoints: [] })) : base.services,
      epochNs: null,
      timeline: [],
    };
    this.cluster = new ClusterState(this.model);
    this.router = new RouterState(this.model, this.cluster, 'statements');
    this.log = new EventLog(this.nodes.length);
    this.nodes.forEach(({ addresses }, row) => {
      for (const address of addresses) this.rowOf.set(formatAddress(address), row);
    });
  }

  /** Row of the node that has this address, or null. */
  find(address: Address): number | null {
    return this.rowOf.get(formatAddress(address)) ?? null;
  }

  nodeName(address: Address): string | null {
    const row = this.find(address);
    return row === null ? null : this.nodes[row]!.name;
  }

  /** Row of the node that has this address; where there is none, one is made and `onAdded` told. */
  nodeOf(address: Address, onAdded: () => void): number {
    const known = this.find(address);
    if (known !== null) return known;
    const text = formatAddress(address);
    const row = this.nodes.length;
    this.nodes.push({
      name: text,
      addresses: [address],
      podCidrs: [],
      podGateways: [],
      tunnelAddresses: [],
      rack: null,
      announces: true,
    });
    this.met++;
    this.rowOf.set(text, row);
    this.cluster.addNode();
    this.log.addNode();
    if (this.made) {
      this.model.services.forEach(({ name, vips }, service) => {
        if (!vips.some(({ family }) => family === address.family)) return;
        const state = { ready: true, serving: true, terminating: false };
        this.cluster.addPod(service, { pod: `${name}@${text}`, node: row, addresses: [], ...state });
      });
      for (let node = 0; node < this.nodes.length; node++) this.cluster.program(node);
    }
    onAdded();
    return row;
  }
}
