/**
 * Who serves where no handshake says it: a capture often begins in the middle of connections, and the first packet in
 * it is as likely the server's. Ports tell: those of servers are well known or registered, those of clients drawn from
 * the dynamic range (RFC 6335 section 6; Linux draws from 32768 on, ip_local_port_range).
 */
import { TCP } from '../wire/ip-protocol.js';

const WELL_KNOWN_TO = 1023;
const DYNAMIC_FROM = 32768;

/**
 * Whether the sender of the first packet serves, by its port and the other one's. Of two ports of the same kind the
 * lower one serves in TCP, where the packet is known not to begin a connection; elsewhere the sender began.
 */
export function senderServes(proto: number, senderPort: number, otherPort: number): boolean {
  const sender = kindOf(senderPort);
  const other = kindOf(otherPort);
  return sender === other ? proto === TCP && senderPort < otherPort : sender < other;
}

function kindOf(port: number): number {
  return port <= WELL_KNOWN_TO ? 0 : port < DYNAMIC_FROM ? 1 : 2;
}
