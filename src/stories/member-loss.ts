/**
 * The closed form of what an unknown pool member costs: n members that answer, one that joins and does not, new
 * connections at the rate r, T seconds until its monitor calls it down. Without a ramp r·T / (n+1) connections are lost;
 * with a linear ramp over R seconds its weight is w(t) = min(t/R, 1) and the loss r · ∫ w / (n+w) dt over 0 … T.
 *
 * Here the sum runs over the connections that a capture really has, each with its moment, instead of r dt.
 */
import { type Address, sameAddress } from '../addr/address.js';
import type { EdgePool } from '../cluster/edge-model.js';
import type { ClusterModel } from '../cluster/model.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import { clientSide, flowAddress } from '../flow/flow-rows.js';

/** Connections that the members which join a pool and do not answer should cost; null: the model has no such pool. */
export function predictedLoss(index: CaptureIndex, model: ClusterModel): number | null {
  const { edge } = model;
  if (edge === null) return null;
  let lost = 0;
  for (const event of model.timeline) {
    if (event.kind !== 'poolMember' || event.action !== 'add') continue;
    const pool = edge.pools[event.pool]!;
    const server = edge.virtualServers.find((one) => one.pool === event.pool);
    if (server === undefined || pool.newMembers === 'disabled') continue;
    const service = model.services[server.service]!;
    const answers =
      service.externalTrafficPolicy === 'Cluster' ||
      service.endpoints.some(({ node, ready }) => ready && node === event.member.node);
    if (answers) continue;
    for (const startS of startsOf(index, server.vips)) {
      lost += shareAt(startS - event.at, pool);
    }
  }
  return lost;
}

/** Share of new connections that the newcomer gets `t` seconds after it joined. */
function shareAt(t: number, { members, slowRampS, monitor }: EdgePool): number {
  const untilS = monitor === null ? Number.POSITIVE_INFINITY : monitor.timeoutS;
  if (t < 0 || t >= untilS) return 0;
  const weight = slowRampS === 0 ? 1 : Math.min(t / slowRampS, 1);
  return weight / (members.length + weight);
}

/** When the flows to some addresses begin, seconds. */
function startsOf({ flows }: CaptureIndex, vips: readonly Address[]): number[] {
  const starts: number[] = [];
  for (let f = 0; f < flows.count; f++) {
    const server = flowAddress(flows, f, clientSide(flows, f) === 'a' ? 'b' : 'a');
    if (vips.some((vip) => sameAddress(vip, server))) starts.push(flows.firstNs[f]! * 1e-9);
  }
  return starts;
}
