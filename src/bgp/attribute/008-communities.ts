/** COMMUNITIES: RFC 1997; malformed: RFC 7606 section 7.8. Well-known values: IANA "BGP Well-known Communities". */
import { UPDATE_ERROR } from '../codec/notification-code.js';
import { type AttributeDescriptor, OPTIONAL_TRANSITIVE, OUTCOME } from './descriptor.js';

export const COMMUNITY = {
  /** RFC 8326 */
  gracefulShutdown: 0xffff0000,
  acceptOwn: 0xffff0001,
  /** RFC 9494 */
  llgrStale: 0xffff0006,
  noLlgr: 0xffff0007,
  /** RFC 7999 */
  blackhole: 0xffff029a,
  noExport: 0xffffff01,
  noAdvertise: 0xffffff02,
  noExportSubconfed: 0xffffff03,
  noPeer: 0xffffff04,
} as const;

const NAMES: ReadonlyMap<number, string> = new Map([
  [COMMUNITY.gracefulShutdown, 'graceful-shutdown'],
  [COMMUNITY.acceptOwn, 'accept-own'],
  [COMMUNITY.llgrStale, 'llgr-stale'],
  [COMMUNITY.noLlgr, 'no-llgr'],
  [COMMUNITY.blackhole, 'blackhole'],
  [COMMUNITY.noExport, 'no-export'],
  [COMMUNITY.noAdvertise, 'no-advertise'],
  [COMMUNITY.noExportSubconfed, 'no-export-subconfed'],
  [COMMUNITY.noPeer, 'no-peer'],
]);

const VALUES: ReadonlyMap<string, number> = new Map([...NAMES].map(([value, name]) => [name, value]));

export const COMMUNITIES: AttributeDescriptor<readonly number[]> = {
  code: 8,
  name: 'COMMUNITIES',
  flags: OPTIONAL_TRANSITIVE,
  onMalformed: OUTCOME.treatAsWithdraw,
  check: (_view, at, end) => (end > at && (end - at) % 4 === 0 ? 0 : UPDATE_ERROR.attributeLength),
  decode: (view, at, end) => readWords(view, at, end),
  encode: (values, out) => {
    for (const value of values) out.u32(value);
  },
  toJson: (values) => values.map(formatCommunity),
};

export function readWords(view: DataView, at: number, end: number): number[] {
  const words: number[] = [];
  for (; at < end; at += 4) words.push(view.getUint32(at));
  return words;
}

/** `64512:100`, or the name of a well-known community. */
export function formatCommunity(value: number): string {
  return NAMES.get(value) ?? `${value >>> 16}:${value & 0xffff}`;
}

/** The inverse of {@link formatCommunity}; `null` for other text. */
export function parseCommunity(text: string): number | null {
  const named = VALUES.get(text);
  if (named !== undefined) return named;
  const match = /^(\d{1,5}):(\d{1,5})$/.exec(text);
  if (match === null) return null;
  const [high, low] = [Number(match[1]), Number(match[2])];
  return high > 0xffff || low > 0xffff ? null : high * 0x10000 + low;
}
