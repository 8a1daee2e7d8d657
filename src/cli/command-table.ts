/** The commands there are. A command's module is loaded only when it is called. */
import type { CommandModule } from './declare-command.js';

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<CommandModule>;
}

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'collect',
    summary:
      'the commands that gather what a replay needs from a cluster, its nodes and its router, and an archive of it',
    load: () => import('./collect-command.js'),
  },
  {
    name: 'replay',
    summary: 'the fate of every flow of a capture when routes, nodes and endpoints change',
    load: () => import('./replay-command.js'),
  },
  {
    name: 'compare',
    summary: 'the survival matrix: combinations of settings over one capture, ranked by what they break',
    load: () => import('./compare-command.js'),
  },
  {
    name: 'plan',
    summary: 'plan drain: the node order that breaks the fewest flows, and why',
    load: () => import('./plan-command.js'),
  },
  {
    name: 'explain',
    summary: 'post-mortem: which resets and timeouts in the capture itself mean what, with the evidence',
    load: () => import('./explain-command.js'),
  },
  {
    name: 'audit',
    summary:
      'what is known to fail, found in a cluster’s objects, with evidence and remedy; no capture needed',
    load: () => import('./audit-command.js'),
  },
  {
    name: 'stories',
    summary: 'failures of real clusters as runnable scenarios, each with its remedies side by side',
    load: () => import('./stories-command.js'),
  },
  {
    name: 'flows',
    summary: 'what the decoder and the flow table see in a capture, without any scenario',
    load: () => import('./flows-command.js'),
  },
  {
    name: 'forward',
    summary: 'every packet of a capture through router, conntrack and NAT as bytes, into a capture again',
    load: () => import('./forward-command.js'),
  },
  {
    name: 'hash',
    summary: 'hash, bucket and next hop of five-tuples, or of every packet of a capture',
    load: () => import('./hash-command.js'),
  },
  {
    name: 'trace',
    summary: 'the walk of one packet through a node’s real rules, with the verdict and what it rests on',
    load: () => import('./trace-command.js'),
  },
  {
    name: 'recover-seed',
    summary: 'the seed of a Linux router’s multipath hash, from which flow went to which next hop',
    load: () => import('./recover-seed-command.js'),
  },
  {
    name: 'router',
    summary: 'the live ECMP router: BGP sessions with real daemons, RIB and FIB, a line for each change',
    load: () => import('./router-command.js'),
  },
  {
    name: 'speaker',
    summary: 'announces VIPs to routers as a MetalLB speaker does, and withdraws or drains them on command',
    load: () => import('./speaker-command.js'),
  },
  {
    name: 'ctl',
    summary: 'asks a running router or speaker and tells it what to do, in the words of vtysh and birdc',
    load: () => import('./ctl-command.js'),
  },
  {
    name: 'bgp',
    summary: 'BGP messages as JSON lines: from octets, hexadecimal text, or the sessions inside a capture',
    load: () => import('./bgp-command.js'),
  },
  {
    name: 'mrt',
    summary: 'MRT dumps of routing tables and updates as JSON lines',
    load: () => import('./mrt-command.js'),
  },
  {
    name: 'schema',
    summary: 'the JSON Schema of scenarios, of router and speaker configurations, and of the JSON reports',
    load: () => import('./schema-command.js'),
  },
  {
    name: 'bench',
    summary: 'the benchmarks, with median, spread and rate',
    load: () => import('./bench-command.js'),
  },
];
