/**
 * What a whole run is measured against: a native program that reads the same capture. The C baseline (libpcap and a
 * flow table) where its source stands beside the checkout and can be compiled, otherwise tools that Debian has.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Peer {
  readonly name: string;
  command(capture: string): readonly string[];
}

const BASELINE = fileURLToPath(new URL('../../../shared/bench/flowc.c', import.meta.url));

const PEERS: readonly Peer[] = [
  { name: 'capinfos', command: (capture) => ['capinfos', '-M', capture] },
  { name: 'tcpdump', command: (capture) => ['tcpdump', '-n', '-r', capture, '-w', '/dev/null'] },
  { name: 'softflowd', command: (capture) => ['softflowd', '-d', '-r', capture] },
];

/** Those that this machine has, the one to compare with first. */
export function peers(): readonly Peer[] {
  const debian = PEERS.filter(({ command }) => has(command('')[0]!));
  const native = baseline();
  return native === null ? debian : [native, ...debian];
}

export function has(program: string): boolean {
  return spawnSync('which', [program]).status === 0;
}

function baseline(): Peer | null {
  if (!existsSync(BASELINE)) return null;
  const folder = mkdtempSync(join(tmpdir(), 'flowfate-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, 'flowc');
  const compiled = spawnSync('cc', ['-O3', '-march=native', BASELINE, '-lpcap', '-o', program]);
  if (compiled.status !== 0) return null;
  return { name: 'C, libpcap', command: (capture) => [program, 'flow', 'pcap', capture] };
}
