/**
 * Whether the rate of connections that a capture shows fits into a node's table. An entry of a TCP connection stays 120 s
 * after its end (TIME_WAIT), so that a rate of r a second holds r × (mean duration + 120) entries (Little's law). The
 * table is kube-proxy's: conntrack.maxPerCore a CPU (32768), conntrack.min at least (131072).
 */
import { readDocuments } from '../../cluster/yaml/document-reader.js';
import { Problems } from '../../cluster/yaml/problems.js';
import type { Evidence, Finding } from '../finding.js';
import type { Inventory } from '../inventory.js';
import { cpuOf } from './limits.js';

export interface MeasuredRate {
  readonly file: string;
  /** TCP connections that began in the capture, a second */
  readonly perS: number;
  /** mean seconds from first to last packet */
  readonly meanS: number;
}

const TIME_WAIT_S = 120;
const PER_CORE = 32768;
const MIN = 131072;
/** Beyond this share of the table the loss of nodes or a burst fills it. */
const NEAR = 0.5;

export function conntrackFindings(inventory: Inventory, measured: MeasuredRate | null): Finding[] {
  if (measured === null || inventory.nodes.length === 0) return [];
  const { maxPerCore, min, evidence } = configured(inventory);
  const sizes = inventory.nodes.flatMap((node) => {
    const cpus = cpuOf(node.at('status', 'capacity', 'cpu'));
    return cpus === null ? [] : [{ node, cpus, max: Math.max(min, Math.floor(cpus) * maxPerCore) }];
  });
  const smallest = sizes.sort((a, b) => a.max - b.max)[0];
  if (smallest === undefined) return [];
  const entries = measured.perS * (measured.meanS + TIME_WAIT_S);
  // what one node has to hold when all of it enters there: with one announcer, or after the loss of the others
  if (entries < NEAR * smallest.max) return [];
  const { node, cpus, max } = smallest;
  return [
    {
      rule: 'conntrack-near-limit',
      severity: entries >= max ? 'high' : 'medium',
      finding: `The traffic of ${measured.file} holds about ${Math.round(entries).toLocaleString('en')} conntrack entries, and a node has room for ${max.toLocaleString('en')}.`,
      mechanism: `${measured.perS.toFixed(0)} new connections a second live ${measured.meanS.toFixed(1)} s and stay ${TIME_WAIT_S} s in TIME_WAIT. The entries spread over the nodes that announce; one node that is left has to hold them all.`,
      breaks:
        'New connections are dropped without an answer while the table is full (nf_conntrack: table full, dropping packet).',
      remedy:
        'A larger conntrack.min or maxPerCore in kube-proxy’s configuration, a shorter nf_conntrack_tcp_timeout_time_wait, or more nodes.',
      evidence: [
        {
          object: `capture ${measured.file}`,
          says: `${measured.perS.toFixed(1)} new connections a second, ${measured.meanS.toFixed(2)} s each`,
          position: { file: measured.file },
        },
        node.evidence(`status.capacity.cpu: ${cpus}`, 'status', 'capacity', 'cpu'),
        ...evidence,
      ],
    },
  ];
}

function configured(inventory: Inventory): { maxPerCore: number; min: number; evidence: Evidence[] } {
  const defaults = { maxPerCore: PER_CORE, min: MIN, evidence: [] };
  for (const config of inventory.of('ConfigMap').filter(({ name }) => name === 'kube-proxy')) {
    const text = config.text('data', 'config.conf');
    if (text === undefined) continue;
    const { documents } = readDocuments({ name: config.title, text }, new Problems());
    const conntrack = (documents[0]?.data as { conntrack?: Record<string, unknown> } | undefined)?.conntrack;
    const read = (key: string, fallback: number): number =>
      typeof conntrack?.[key] === 'number' ? (conntrack[key] as number) : fallback;
    const maxPerCore = read('maxPerCore', PER_CORE);
    const min = read('min', MIN);
    return {
      maxPerCore,
      min,
      evidence: [config.evidence(`conntrack: maxPerCore ${maxPerCore}, min ${min}`, 'data', 'config.conf')],
    };
  }
  return defaults;
}
