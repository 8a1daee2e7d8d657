/**
 * Real BGP daemons as partners in tests: which of them this machine has, and one way to make each.
 *
 *     const lan = await Lan.create([{ name: 'tor', addresses: ['10.88.0.1/24', 'fd88::1/64'] }, …]);
 *     const bird = makeDaemon('bird', lan.host('s1'), { asn, routerId, peers, announces });
 *     await bird.start();
 *     await until('the session', async () => (await bird.established()).has('10.88.0.1'));
 */
import { existsSync } from 'node:fs';
import { Bird } from './daemons/bird.js';
import type { Daemon, DaemonConfig, DaemonName } from './daemons/daemon.js';
import { Exabgp } from './daemons/exabgp.js';
import { Frr } from './daemons/frr.js';
import { Gobgp } from './daemons/gobgp.js';
import { Openbgpd } from './daemons/openbgpd.js';
import { type Host, lacksNamespaces } from './netns.js';

export const DAEMONS: readonly DaemonName[] = ['bird', 'frr', 'gobgp', 'exabgp', 'openbgpd'];

const NEEDS: Readonly<
  Record<DaemonName, { readonly programs: readonly string[]; readonly packages: string }>
> = {
  bird: { programs: ['bird', 'birdc'], packages: 'bird2' },
  frr: {
    programs: ['/usr/lib/frr/zebra', '/usr/lib/frr/bgpd', '/usr/lib/frr/bfdd', 'vtysh'],
    packages: 'frr',
  },
  gobgp: { programs: ['gobgpd', 'gobgp'], packages: 'gobgpd' },
  exabgp: { programs: ['exabgp'], packages: 'exabgp' },
  openbgpd: { programs: ['/usr/sbin/bgpd', 'bgpctl'], packages: 'openbgpd' },
};

const PATHS = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];

/** Whether a program is installed, by name or by full path. */
export const hasProgram = (name: string): boolean =>
  name.startsWith('/') ? existsSync(name) : PATHS.some((dir) => existsSync(`${dir}/${name}`));

/** What this machine lacks for tests with these daemons, as a sentence for a skipped test; null if nothing. */
export function lacks(...names: readonly DaemonName[]): string | null {
  if (lacksNamespaces !== null) return lacksNamespaces;
  for (const name of names) {
    const missing = NEEDS[name].programs.find((program) => !hasProgram(program));
    if (missing !== undefined) return `needs ${missing} (Debian package ${NEEDS[name].packages})`;
  }
  return null;
}

export function makeDaemon(name: DaemonName, host: Host, config: DaemonConfig): Daemon {
  switch (name) {
    case 'bird':
      return new Bird(host, config);
    case 'frr':
      return new Frr(host, config);
    case 'gobgp':
      return new Gobgp(host, config);
    case 'exabgp':
      return new Exabgp(host, config);
    case 'openbgpd':
      return new Openbgpd(host, config);
  }
}
