/**
 * Which connections the clients make, and what each does, drawn from a seed, so that the same seed makes the same
 * traffic.
 *
 *     chatty      a request every 0.4 to 1.4 s until the end
 *     idle-data   one exchange, silence, one request much later
 *     idle-fin    one exchange, silence, then it only closes
 *     short       three requests, close
 *     download    one request, after which the server pushes until the end
 *     push-gap    the same with seconds between two pushes
 *     half-close  one request; the client closes its side while the server goes on pushing
 *     datagram    UDP: a request every 0.2 to 1 s from one socket
 */
import { CLIENT_ADDRESSES, FAMILIES, type Family, type LabService } from './layout.js';
import type { Story } from './story.js';

export type ConnectionClass =
  | 'chatty'
  | 'idle-data'
  | 'idle-fin'
  | 'short'
  | 'download'
  | 'push-gap'
  | 'half-close'
  | 'datagram';

/** What the server is asked to send by itself. */
export interface PushPlan {
  readonly everyMs: number;
  readonly count: number;
}

/** The port is used again: a new connection that long after the end of the one before. */
export interface ReusePlan {
  readonly afterS: number;
  readonly times: number;
}

export interface PlannedConnection {
  readonly id: number;
  readonly class: ConnectionClass;
  readonly service: string;
  readonly protocol: 'tcp' | 'udp';
  readonly family: Family;
  readonly src: string;
  readonly srcPort: number;
  readonly dst: string;
  readonly dstPort: number;
  readonly openS: number;
  /** requests beside the first, which goes out when the connection stands; a later life shifts them all */
  readonly sendAtS: readonly number[];
  readonly closeS: number | null;
  /** it closes with RST */
  readonly aborts: boolean;
  readonly push: PushPlan | null;
  readonly reuse: ReusePlan | null;
  /** octets that every second datagram has beside its request: more than a frame holds are fragments */
  readonly paddingBytes: number;
}

export interface TrafficSettings {
  /** connections opened at the beginning; a fifth as many again over IPv6 */
  readonly connections: number;
  /** new connections a second afterwards */
  readonly perSecond: number;
  readonly seed: number;
}

type Different = Partial<
  Pick<
    PlannedConnection,
    'sendAtS' | 'closeS' | 'aborts' | 'push' | 'reuse' | 'paddingBytes' | 'src' | 'srcPort'
  >
>;

/** before the end: what is sent is answered, or known to be unanswered */
const QUIET_BEFORE_END_S = 1;

/** Draws connections one after the other; a source address and port serves one connection a service. */
export class TrafficPlanner {
  readonly plan: PlannedConnection[] = [];
  readonly random: () => number;
  private readonly taken = new Set<string>();

  constructor(
    readonly services: readonly LabService[],
    readonly durationS: number,
    seed: number,
  ) {
    this.random = generator(seed);
  }

  between(from: number, to: number): number {
    return from + this.random() * (to - from);
  }

  oneOf<T>(values: readonly T[]): T {
    return values[Math.floor(this.random() * values.length)]!;
  }

  add(kind: ConnectionClass, openS: number, family: Family, different: Different = {}, service = 0): void {
    const { name, protocol, vip, port } = this.services[service]!;
    const dst = vip[family];
    if (dst === undefined) throw new Error(`the service ${name} has no ${family} address`);
    const behaviour = { ...this.behaviour(kind, openS), ...different };
    const [src, srcPort] = this.source(family, service, different);
    const to = { service: name, protocol, family, src, srcPort, dst, dstPort: port };
    this.plan.push({ id: this.plan.length, class: kind, openS, ...behaviour, ...to });
  }

  /** So many connections of each family, opened within the first two seconds. */
  fill(ipv4: number, ipv6: number, kinds: readonly ConnectionClass[], service = 0): void {
    for (const [family, count] of [
      ['ipv4', ipv4],
      ['ipv6', ipv6],
    ] as const) {
      for (let i = 0; i < count; i++) this.add(this.oneOf(kinds), this.between(0.2, 2), family, {}, service);
    }
  }

  /** New connections as they come: `perSecond` on the average, three in ten over IPv6. */
  arrive(fromS: number, untilS: number, perSecond: number, service = 0): void {
    for (let atS = fromS; atS < untilS; atS += -Math.log(1 - this.random()) / perSecond) {
      const family = this.random() < 0.7 ? 'ipv4' : 'ipv6';
      this.add(this.oneOf(['chatty', 'short']), atS, family, {}, service);
    }
  }

  private behaviour(kind: ConnectionClass, openS: number): Omit<PlannedConnection, keyof PlannedPlace> {
    const plain = { sendAtS: [], closeS: null, aborts: false, push: null, reuse: null, paddingBytes: 0 };
    const whole = (from: number, to: number): number => Math.floor(this.between(from, to));
    switch (kind) {
      case 'chatty':
        return { ...plain, sendAtS: this.requests(openS, this.between(0.6, 1.1)) };
      case 'datagram':
        return { ...plain, sendAtS: this.requests(openS, this.between(0.3, 0.8)) };
      case 'idle-data':
        return { ...plain, sendAtS: [this.between(6, 9)] };
      case 'idle-fin':
        return { ...plain, closeS: this.between(6, 9) };
      case 'short':
        return { ...plain, sendAtS: [openS + 0.3, openS + 0.6], closeS: openS + this.between(0.8, 1.2) };
      case 'download':
        return { ...plain, push: { everyMs: whole(60, 200), count: 400 } };
      case 'push-gap':
        return { ...plain, push: { everyMs: this.oneOf([2500, 3500, 4500, 6000]), count: 20 } };
      case 'half-close':
        return { ...plain, push: { everyMs: whole(100, 200), count: 60 }, closeS: openS + 0.5 };
    }
  }

  private requests(openS: number, everyS: number): number[] {
    const atS: number[] = [];
    const lastS = this.durationS - QUIET_BEFORE_END_S;
    for (let nextS = openS; nextS < lastS; nextS += everyS * this.between(0.7, 1.3)) atS.push(nextS);
    return atS.slice(1);
  }

  private source(family: Family, service: number, different: Different): [string, number] {
    for (;;) {
      const src = different.src ?? this.oneOf(CLIENT_ADDRESSES[family]);
      const srcPort = different.srcPort ?? 1024 + Math.floor(this.random() * (65_536 - 1024));
      const key = `${src} ${srcPort} ${service}`;
      if (this.taken.has(key)) {
        if (different.src !== undefined && different.srcPort !== undefined)
          throw new Error(`${key} is taken`);
        continue;
      }
      this.taken.add(key);
      return [src, srcPort];
    }
  }
}

type PlannedPlace = Pick<
  PlannedConnection,
  'id' | 'class' | 'service' | 'protocol' | 'family' | 'src' | 'srcPort' | 'dst' | 'dstPort' | 'openS'
>;

const OPEN_FROM_S = 0.2;
const OPEN_UNTIL_S = 1.7;
const LATER_FROM_S = 2;
/** before the end: a later connection could not show its fate any more */
const NO_NEW_BEFORE_END_S = 4;
const IPV6_SHARE = 0.2;

/** The traffic of a story: most clients chat, and those that are idle wake up after its first event. */
export function planTraffic(
  settings: TrafficSettings,
  services: readonly LabService[],
  story: Story,
  durationS: number,
): readonly PlannedConnection[] {
  const planner = new TrafficPlanner(services, durationS, settings.seed);
  const firstS = story.steps[0]?.atS ?? durationS / 2;
  const lastS = Math.min(story.steps.at(-1)?.atS ?? firstS, durationS - 6);
  const wakesS = (): number => planner.between(Math.min(firstS + 1, lastS), lastS + 3);
  for (const family of FAMILIES) {
    const count = Math.round(settings.connections * (family === 'ipv6' ? IPV6_SHARE : 1));
    for (let i = 0; i < count; i++) {
      const draw = planner.random();
      const openS = planner.between(OPEN_FROM_S, OPEN_UNTIL_S);
      if (draw < 0.8) planner.add('chatty', openS, family);
      else if (draw < 0.9) planner.add('idle-data', openS, family, { sendAtS: [wakesS()] });
      else planner.add('idle-fin', openS, family, { closeS: wakesS() });
    }
  }
  let atS = LATER_FROM_S;
  while (settings.perSecond > 0 && atS < durationS - NO_NEW_BEFORE_END_S) {
    const family = planner.random() < IPV6_SHARE ? 'ipv6' : 'ipv4';
    planner.add(planner.random() < 0.5 ? 'chatty' : 'short', atS, family);
    atS += -Math.log(1 - planner.random()) / settings.perSecond;
  }
  return planner.plan;
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
