/** A trace to read aloud. */
import { formatAddress } from '../addr/address.js';
import { protocolName } from '../flow/flow-rows.js';
import type { Node } from '../netfilter/node.js';
import { hasPorts, type PacketFields } from '../netfilter/packet.js';
import type { TraceStep } from '../netfilter/rule-set.js';
import type { Outcome, Trace } from '../netfilter/trace.js';

export function traceText(node: Node, fields: PacketFields, trace: Trace): string {
  const lines: string[] = [];
  const iif = fields.iif === null ? `sent by ${node.name}` : `into ${node.name} by ${fields.iif}`;
  lines.push(
    `${protocolText(fields.proto)} ${endText(fields.src, fields.srcPort, fields.proto)} to ${endText(fields.dst, fields.dstPort, fields.proto)}, ${iif}`,
  );
  let hook = '';
  for (const step of trace.steps) {
    if (step.hook === 'end') continue;
    if (step.chain !== undefined && step.hook !== hook) lines.push(`  ${step.hook}`);
    if (step.chain !== undefined) hook = step.hook;
    else hook = '';
    lines.push(stepText(step));
  }
  const certain = trace.outcomes.length === 1 && trace.outcomes[0]!.probability === 1;
  for (const outcome of trace.outcomes) lines.push(outcomeText(outcome, certain));
  if (trace.assumed.length > 0) lines.push(`  assumed: ${trace.assumed.join('; ')}`);
  if (node.unread.length > 0) lines.push(`  not read: ${node.unread.join('; ')}`);
  return `${lines.join('\n')}\n`;
}

function stepText({ hook, table, chain, rule, text, result }: TraceStep): string {
  if (chain === undefined) return `  ${hook}: ${text}${result === '' ? '' : ` → ${result}`}`;
  const place = rule === undefined ? `${table} ${chain}` : `${table} ${chain} rule ${rule}`;
  return `    ${place}: ${text} → ${result}`;
}

function outcomeText({ probability, verdict, with: sent, by, out, why }: Outcome, certain: boolean): string {
  const chance = certain ? '' : `${(probability * 100).toFixed(probability < 0.001 ? 4 : 1)} %: `;
  const how = sent === undefined ? verdict : `${verdict} with ${sent}`;
  const rule =
    by === null
      ? ''
      : by.rule === 'policy'
        ? `, by the policy of ${by.table} ${by.chain}`
        : `, by ${by.table} ${by.chain}: ${by.rule}`;
  const reason = why === undefined || why === '' ? '' : `, ${why}`;
  if (out === null)
    return `${chance}${how}${reason}${verdict === 'forwarded' || verdict === 'local' ? '' : rule}`;
  const port = (value: number | null): string => (value === null ? '(drawn by the kernel)' : String(value));
  const ports = out.srcPort !== 0 || out.dstPort !== 0;
  const end = (address: string, value: number | null): string =>
    ports ? `${bracketed(address)}:${port(value)}` : address;
  const way = out.oif === null ? 'as' : `by ${out.oif} as`;
  return `${chance}${how} ${way} ${end(out.src, out.srcPort)} to ${end(out.dst, out.dstPort)}${reason}`;
}

function endText(address: PacketFields['src'], port: number, proto: number): string {
  const text = formatAddress(address);
  return hasPorts(proto) ? `${bracketed(text)}:${port}` : text;
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** `icmpv6` as nft and the lines of packets write it. */
export function protocolText(proto: number): string {
  return proto === 58 ? 'icmpv6' : String(protocolName(proto));
}
