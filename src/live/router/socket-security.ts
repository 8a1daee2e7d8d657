/**
 * TCP-MD5 (RFC 2385) and GTSM (RFC 5082): which of a peer's wishes can be kept here, and what to do about the others.
 *
 * Node sets neither on a socket. Both belong to whoever opens the listening socket and passes it on
 * (`scripts/launch-listener.py … -- flowfate router --listen fd:3`); connections that we open ourselves can have
 * neither, but for the outgoing half of GTSM where the kernel's usual TTL is 255.
 */
import { readFileSync } from 'node:fs';
import type { ListenTarget } from '../../bgp/net/transport.js';

export interface WishedSecurity {
  readonly password?: string | undefined;
  readonly ttlSecurity?: boolean | undefined;
  readonly passive?: boolean | undefined;
}

/** The kernel's usual TTL for IPv4, net.ipv4.ip_default_ttl; `null` where it does not say. */
export function kernelTtl(): number | null {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_default_ttl', 'utf8'));
  } catch {
    return null;
  }
}

const LAUNCHER = 'start it by scripts/launch-listener.py, and listen on fd:3';

/** Why these wishes cannot be kept, each with the key that it is about. */
export function refuseSecurity(
  { password, ttlSecurity, passive }: WishedSecurity,
  listen: readonly ListenTarget[],
  usualTtl: number | null,
): { readonly key: 'password' | 'ttlSecurity'; readonly sentence: string }[] {
  const isInherited = listen.length > 0 && listen.every((target) => 'fd' in target);
  const refused: { readonly key: 'password' | 'ttlSecurity'; readonly sentence: string }[] = [];
  if (password !== undefined && !isInherited) {
    refused.push({
      key: 'password',
      sentence: `a password (TCP-MD5) needs a socket that has it: ${LAUNCHER}`,
    });
  } else if (password !== undefined && passive !== true) {
    refused.push({
      key: 'password',
      sentence:
        'a password (TCP-MD5) works only for connections that the peer opens; add "passive: true" to this peer',
    });
  }
  if (ttlSecurity === true && usualTtl !== 255 && !(isInherited && passive === true)) {
    const kernel = 'or let the kernel send with TTL 255 (sysctl net.ipv4.ip_default_ttl=255)';
    const sentence = isInherited
      ? `ttlSecurity works only for connections that the peer opens; add "passive: true" to this peer, ${kernel}`
      : `ttlSecurity (GTSM) needs a socket that has it: ${LAUNCHER}, ${kernel}`;
    refused.push({ key: 'ttlSecurity', sentence });
  }
  return refused;
}
