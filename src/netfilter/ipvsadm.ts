/** `ipvsadm -Sn`: services (`-A`) and their real servers (`-a`). */
import { type Address, parseAddress } from '../addr/address.js';
import type { IpvsService } from './ipvs.js';
import type { Node } from './node.js';

const LINE = /^-[Aa]\s+(?:-[tuf]|--(?:tcp|udp|sctp|fwmark)-service)\s+\S+/;

export function isIpvsadmSave(text: string): boolean {
  return text.split('\n').some((line) => LINE.test(line.trim()));
}

export function readIpvsadmSave(node: Node, text: string, source: string): void {
  const services = new Map<string, IpvsService>();
  text.split('\n').forEach((line, at) => {
    if (!LINE.test(line.trim())) return;
    const words = line.trim().split(/\s+/);
    const value = (...names: string[]): string | null => {
      const found = words.findIndex((word) => names.includes(word));
      return found < 0 ? null : (words[found + 1] ?? null);
    };
    const key = `${words[1]} ${words[2]}`;
    if (words[0] === '-A') {
      const isMark = words[1] === '-f' || words[1] === '--fwmark-service';
      const end = isMark ? null : endpointOf(words[2]!);
      if (!isMark && end === null) {
        node.unread.push(`${source}:${at + 1}: "${words[2]}" is no service`);
        return;
      }
      const service: IpvsService = {
        address: end?.address ?? null,
        proto:
          { '-t': 6, '--tcp-service': 6, '-u': 17, '--udp-service': 17, '--sctp-service': 132 }[words[1]!] ??
          0,
        port: end?.port ?? 0,
        mark: isMark ? Number(words[2]) : 0,
        scheduler: value('-s', '--scheduler') ?? 'wlc',
        flags: (value('-b', '--sched-flags') ?? '').split(','),
        persistent: words.includes('-p') || words.includes('--persistent'),
        servers: [],
      };
      services.set(key, service);
      node.ipvs.push(service);
      return;
    }
    const server = endpointOf(value('-r', '--real-server') ?? '');
    const service = services.get(key);
    if (server === null || service === undefined) {
      node.unread.push(`${source}:${at + 1}: a real server of no service`);
      return;
    }
    service.servers.push({
      address: server.address,
      port: server.port,
      weight: Number(value('-w', '--weight') ?? 1),
      forwarding:
        words.includes('-m') || words.includes('--masquerading')
          ? 'masq'
          : words.includes('-i') || words.includes('--ipip')
            ? 'tunnel'
            : 'route',
    });
  });
}

function endpointOf(text: string): { address: Address; port: number } | null {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([\d.]+)):(\d+)$/.exec(text) ?? [];
  const address = parseAddress(bracketed ?? plain ?? '');
  return address === null ? null : { address, port: Number(port) };
}
