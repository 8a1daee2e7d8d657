/** Who announces one VIP: the question that every announcer's rules are asked, and the answer. */
import type { Prefix } from '../../addr/prefix.js';
import type { Labels } from './label-selector.js';

export interface AnnouncingNode {
  readonly name: string;
  readonly labels: Labels;
}

export interface AnnouncedService {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly loadBalancerClass: string | undefined;
  readonly external: boolean;
}

export interface Announcement {
  readonly announcers: readonly { readonly node: string; readonly preference: number }[];
  /** what is announced in the place of the VIP's host route, or null */
  readonly aggregate: Prefix | null;
  /** where nobody announces: why, a sentence without its end */
  readonly why: string | null;
}
