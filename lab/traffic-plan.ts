/**
 * Which connections the clients make, and what each does: four kinds of client, drawn from a seed, so that the same
 * seed makes the same traffic.
 *
 *     chatty      a request every 0.4 to 1.4 s until the end
 *     idle-data   one exchange, silence, one request after the first event
 *     idle-fin    one exchange, silence, then it only closes
 *     short       three requests, close
 */
import { CLIENT_ADDRESSES, FAMILIES, type Family, SERVICE_PORT, VIP } from './layout.js';
import type { Story } from './story.js';

export type ConnectionClass = 'chatty' | 'idle-data' | 'idle-fin' | 'short';

export interface PlannedConnection {
  readonly id: number;
  readonly class: ConnectionClass;
  readonly family: Family;
  readonly src: string;
  readonly srcPort: number;
  readonly dst: string;
  readonly dstPort: number;
  readonly openS: number;
  /** requests beside the first, which goes out when the connection stands */
  readonly sendAtS: readonly number[];
  readonly closeS: number | null;
}

export interface TrafficSettings {
  /** connections opened at the beginning; a fifth as many again over IPv6 */
  readonly connections: number;
  /** new connections a second afterwards */
  readonly perSecond: number;
  readonly seed: number;
}

const OPEN_FROM_S = 0.2;
const OPEN_UNTIL_S = 1.7;
const LATER_FROM_S = 2;
/** before the end: a later connection could not show its fate any more */
const NO_NEW_BEFORE_END_S = 4;
/** before the end: what is sent is answered, or known to be unanswered */
const QUIET_BEFORE_END_S = 1;
const IPV6_SHARE = 0.2;

export function planTraffic(settings: TrafficSettings, story: Story, durationS: number): PlannedConnection[] {
  const random = generator(settings.seed);
  const between = (from: number, to: number): number => from + random() * (to - from);
  const taken = new Set<string>();
  const plan: PlannedConnection[] = [];
  const firstS = story.steps[0]?.atS ?? durationS / 2;
  const lastS = Math.min(story.steps.at(-1)?.atS ?? firstS, durationS - 6);
  const wakesS = (): number => between(Math.min(firstS + 1, lastS), lastS + 3);

  const requests = (openS: number): number[] => {
    const everyS = between(0.6, 1.1);
    const atS: number[] = [];
    for (let nextS = openS; nextS < durationS - QUIET_BEFORE_END_S; nextS += everyS * between(0.7, 1.3)) {
      atS.push(nextS);
    }
    return atS.slice(1);
  };

  const add = (family: Family, openS: number, kind: ConnectionClass): void => {
    const behaviour = {
      chatty: () => ({ sendAtS: requests(openS), closeS: null }),
      'idle-data': () => ({ sendAtS: [wakesS()], closeS: null }),
      'idle-fin': () => ({ sendAtS: [], closeS: wakesS() }),
      short: () => ({ sendAtS: [openS + 0.4, openS + 0.8], closeS: openS + between(1, 1.6) }),
    }[kind]();
    const [src, srcPort] = freshSource(family, random, taken);
    const to = { dst: VIP[family], dstPort: SERVICE_PORT };
    plan.push({ id: plan.length, class: kind, family, src, srcPort, ...to, openS, ...behaviour });
  };

  for (const family of FAMILIES) {
    const count = Math.round(settings.connections * (family === 'ipv6' ? IPV6_SHARE : 1));
    for (let i = 0; i < count; i++) {
      const draw = random();
      const kind = draw < 0.8 ? 'chatty' : draw < 0.9 ? 'idle-data' : 'idle-fin';
      add(family, between(OPEN_FROM_S, OPEN_UNTIL_S), kind);
    }
  }
  let atS = LATER_FROM_S;
  while (settings.perSecond > 0 && atS < durationS - NO_NEW_BEFORE_END_S) {
    add(random() < IPV6_SHARE ? 'ipv6' : 'ipv4', atS, random() < 0.5 ? 'chatty' : 'short');
    atS += -Math.log(1 - random()) / settings.perSecond;
  }
  return plan;
}

function freshSource(family: Family, random: () => number, taken: Set<string>): [string, number] {
  for (;;) {
    const addresses = CLIENT_ADDRESSES[family];
    const src = addresses[Math.floor(random() * addresses.length)]!;
    const srcPort = 1024 + Math.floor(random() * (65_536 - 1024));
    if (taken.has(`${src} ${srcPort}`)) continue;
    taken.add(`${src} ${srcPort}`);
    return [src, srcPort];
  }
}

/** mulberry32: a 32-bit state, uniform in [0, 1). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
