/** A node's conntrack table as `conntrack -L` prints it (conntrack-tools 1.4). */
import { formatAddress } from '../addr/address.js';
import { TCP_STATE_NAMES } from '../conntrack/tcp-states.js';
import { TUPLE_DST, TUPLE_SRC, Tuple } from '../conntrack/tuple.js';
import type { ConntrackTable } from '../oracle/conntrack-table.js';

const PROTO_NAMES: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };

/** A line for every entry that has not expired at `nowS`, oldest first. */
export function* dumpTable(table: ConntrackTable, nowS: number): IterableIterator<string> {
  const original = new Tuple();
  const reply = new Tuple();
  for (const entry of table.entries()) {
    const leftS = table.expiresS(entry) - nowS;
    if (leftS < 0) continue;
    table.readTuple(entry * 2, original);
    table.readTuple(entry * 2 + 1, reply);
    const { proto } = original;
    const name = (PROTO_NAMES[proto] ?? 'unknown').padEnd(8);
    const state = proto === 6 ? `${TCP_STATE_NAMES[table.stateOf(entry)]} ` : '';
    const unreplied = table.hasReplied(entry) ? '' : '[UNREPLIED] ';
    const assured = table.isAssured(entry) ? '[ASSURED] ' : '';
    yield `${name} ${proto} ${Math.floor(leftS)} ${state}${text(original)} ${unreplied}${text(reply)} ${assured}mark=0 use=1`;
  }
}

function text({ words, family, srcPort, dstPort }: Tuple): string {
  const address = (at: number): string =>
    formatAddress({
      family: family as 4 | 6,
      w0: words[at]!,
      w1: words[at + 1]!,
      w2: words[at + 2]!,
      w3: words[at + 3]!,
    });
  return `src=${address(TUPLE_SRC)} dst=${address(TUPLE_DST)} sport=${srcPort} dport=${dstPort}`;
}
