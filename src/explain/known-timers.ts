/** Idle times after which widely used tables forget a TCP connection, by their makers' defaults. */
import { milliseconds } from './words.js';

/** seconds, and whose default it is */
const TIMERS: readonly (readonly [number, string])[] = [
  [30, 'NAT gateways and SOCKS proxies'],
  [60, 'AWS Classic and Application Load Balancers, HAProxy and nginx (http)'],
  [75, 'nginx keep-alive'],
  [120, 'Linux conntrack in FIN_WAIT or TIME_WAIT'],
  [240, 'Azure Load Balancer and NAT gateway'],
  [300, 'Linux conntrack without acknowledgement, F5 BIG-IP'],
  [350, 'AWS Network Load Balancer, NAT gateway and Gateway Load Balancer'],
  [600, 'Google Cloud firewall and load balancers'],
  [900, 'IPVS (tcp)'],
  [1800, 'Juniper SRX, Palo Alto sessions of some applications'],
  [3600, 'Cisco ASA and Palo Alto (TCP), kube-proxy close-wait'],
  [7200, 'NAT of RFC 5382 section 5 (2 h 4 min) and older routers'],
  [86400, 'Linux conntrack as kube-proxy sets it'],
  [432000, 'Linux conntrack (5 days)'],
];

/** An age this much longer than a timer, in seconds and as a share, is not its doing. Shorter ages never are. */
const WITHIN_S = 2;
const WITHIN_SHARE = 0.03;
const CLOCK_SLACK_S = 0.05;

/** Whose timer the age of a connection equals, as a sentence; null where none does. */
export function knownTimer(gapNs: number): string | null {
  const gapS = gapNs / 1e9;
  for (const [timerS, whose] of TIMERS) {
    if (gapS >= timerS - CLOCK_SLACK_S && gapS - timerS <= Math.max(WITHIN_S, WITHIN_SHARE * timerS)) {
      return `${timerS} s is the default of ${whose}`;
    }
  }
  return null;
}

export function namedAge(gapNs: number): string {
  return milliseconds(gapNs);
}
