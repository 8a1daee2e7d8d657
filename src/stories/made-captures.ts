/** The captures that stories run on when nobody gives one: plans of made traffic, by the name of their file. */
import type { TrafficPlan } from './made-traffic.js';

/** `captures/stories/<name>.pcap.gz`, written by scripts/story-captures.mjs. */
export const MADE_CAPTURES = {
  /** a minute of sessions: most short, some for as long as anybody looks */
  'web-sessions': {
    seed: 20200817,
    durationS: 60,
    perSecond: 6,
    lives: [
      { share: 0.55, fromS: 0.2, toS: 3 },
      { share: 0.3, fromS: 5, toS: 20 },
      { share: 0.15, fromS: 0, toS: Number.POSITIVE_INFINITY },
    ],
    pauseS: [1.5, 5],
    clients: 120,
    ipv6Share: 0.15,
    udpShare: 0.08,
  },
  /** short connections, one after the other at a steady rate */
  arrivals: {
    seed: 20200819,
    durationS: 50,
    perSecond: 12,
    lives: [{ share: 1, fromS: 0.1, toS: 1 }],
    pauseS: [2, 5],
    clients: 200,
    ipv6Share: 0,
    udpShare: 0,
  },
  /** HTTP without TLS, heads in full; one client in twelve claims to be somebody else */
  'http-requests': {
    seed: 20200818,
    durationS: 30,
    perSecond: 6,
    lives: [
      { share: 0.8, fromS: 0.2, toS: 3 },
      { share: 0.2, fromS: 5, toS: 20 },
    ],
    pauseS: [1.5, 5],
    clients: 90,
    ipv6Share: 0.2,
    udpShare: 0,
    http: { forgedShare: 1 / 12 },
  },
} as const satisfies Record<string, TrafficPlan>;
export type MadeCaptureName = keyof typeof MADE_CAPTURES;
