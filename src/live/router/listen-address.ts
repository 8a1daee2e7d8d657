/** Where to listen, as it is written: `127.0.0.1:1790`, `[::1]:1790`, a port alone, `fd:3`. */
import { parseAddress } from '../../addr/address.js';
import type { ListenAddress, ListenTarget } from '../../bgp/net/transport.js';

export const LOOPBACK = '127.0.0.1';

/** `[host:]port`; null for other text. Port 0 is any that is free. */
export function parseListen(text: string): ListenAddress | null {
  const parts = /^(?:(?:\[([^\]]+)\]|([^:]+)):)?(\d{1,5})$/.exec(text.trim());
  if (parts === null || Number(parts[3]) > 65535) return null;
  const host = parts[1] ?? parts[2] ?? LOOPBACK;
  const isAddress = parseAddress(host.split('%')[0]!) !== null;
  return isAddress || host === 'localhost' ? { host, port: Number(parts[3]) } : null;
}

/** The same, or `fd:3` for a descriptor that is inherited. */
export function parseListenTarget(text: string): ListenTarget | null {
  const fd = /^fd:(\d{1,4})$/.exec(text.trim());
  return fd === null ? parseListen(text) : { fd: Number(fd[1]) };
}

export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}
