/** What a result rests on where nodes have real rules: what their walks took for granted, and which rule said what. */
import type { Assumption } from '../cluster/model.js';
import type { ClusterState } from '../state/cluster-state.js';

/** How many assumptions of one node are listed. */
const MOST = 12;

export function realRuleAssumptions(cluster: ClusterState): Assumption[] {
  return cluster.nodesWithRealRules().flatMap((node) => {
    const what = `node-state.${cluster.model.nodes[node]!.name}`;
    return [...cluster.realPlaneOf(node)!.assumed].slice(0, MOST).map((value) => ({
      what,
      value,
      because: 'its dumps do not say it',
    }));
  });
}
