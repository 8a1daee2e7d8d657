/** What would tell the hypotheses apart that a capture leaves open: the capture, counter or log to fetch next. */
import type { FindingName } from './finding.js';

export interface NextStep {
  /** the findings that it decides between */
  readonly between: readonly FindingName[];
  readonly fetch: string;
}

interface Rule {
  /** asked where one of these was found … */
  readonly found: readonly FindingName[];
  /** … and one of these is an alternative, or another finding; empty: always */
  readonly against: readonly FindingName[];
  readonly fetch: string;
}

const RULES: readonly Rule[] = [
  {
    found: ['unknown-connection', 'unanswered-data', 'unanswered-fin'],
    against: ['rehash'],
    fetch:
      "the router's routes at that moment: its BGP log, an MRT dump (--mrt), a capture of TCP port 179 (--bgp-from-capture), or a scenario with the change (--scenario)",
  },
  {
    found: ['unknown-connection', 'unanswered-data'],
    against: ['rehash'],
    fetch:
      'a capture between router and nodes, where the destination MAC address shows the next hop of every packet: a connection that changes it in mid-stream was moved',
  },
  {
    found: ['unknown-connection', 'idle-timeout', 'unanswered-data'],
    against: ['idle-timeout', 'middlebox'],
    fetch:
      '`conntrack -E -e DESTROY -o timestamp` on every stateful hop, or the session log of the firewall, for these addresses and ports',
  },
  {
    found: ['unknown-connection', 'endpoint-died', 'unanswered-data'],
    against: ['endpoint-died', 'rehash'],
    fetch:
      "when the server's process or pod started last (`kubectl get pods`, `systemctl status`), and its log at that second",
  },
  {
    found: ['middlebox'],
    against: [],
    fetch:
      'a second capture on the other side of the suspected hop: a reset that is in one capture only was made between the two',
  },
  {
    found: ['endpoint-died', 'endpoint-stopped', 'late-use'],
    against: ['late-use', 'endpoint-died', 'endpoint-stopped'],
    fetch:
      "the keep-alive time of the server against that of the client's pool, and the server's log at the moment of its FINs",
  },
  {
    found: ['unanswered-syn'],
    against: [],
    fetch:
      'the neighbour and drop counters of each next hop (`ip -s neigh`, `nstat -az TcpExtListenDrops`, `conntrack -S`), and which next hop the unanswered five-tuples hash to (`flowfate hash`)',
  },
  {
    found: ['pmtu-black-hole'],
    against: [],
    fetch:
      'a capture at the sender: does the ICMP error arrive there? Then `ip route get` with the cached MTU, and the filter on ICMP',
  },
  {
    found: ['client-abort', 'application-reset'],
    against: ['ordinary', 'unknown-connection', 'middlebox'],
    fetch:
      "the application's access log with its time-outs (HTTP 499, 'client closed', 'upstream prematurely closed')",
  },
  {
    found: ['cannot-tell'],
    against: [],
    fetch:
      'a capture of both directions, without a filter on TCP flags, that begins before the connections do',
  },
];

/** The steps that apply, in the order of the table. `alternatives`: by finding, those that any connection has. */
export function whatWouldTell(
  found: ReadonlySet<FindingName>,
  alternatives: ReadonlyMap<FindingName, ReadonlySet<FindingName>>,
): NextStep[] {
  const steps: NextStep[] = [];
  for (const rule of RULES) {
    const here = rule.found.filter((name) => found.has(name));
    if (here.length === 0) continue;
    const rivals = new Set(
      rule.against.filter((name) => here.some((one) => one !== name && alternatives.get(one)?.has(name))),
    );
    if (rule.against.length > 0 && rivals.size === 0) continue;
    steps.push({ between: [...new Set([...here, ...rivals])], fetch: rule.fetch });
  }
  return steps;
}
