/**
 * Durations as people write them: `250ms`, `5s`, `2m`, `1h`, `1m30s`, or a bare number of seconds. The units are
 * those of Go's time.ParseDuration, which Kubernetes and MetalLB use, and `d` for days.
 */

const SECONDS_OF_UNIT: Readonly<Record<string, number>> = {
  m: 60,
  h: 3600,
  d: 86400,
};
/** Parts of a second are divisors: dividing rounds once, multiplying by 0.001 would round twice. */
const PER_SECOND_OF_UNIT: Readonly<Record<string, number>> = {
  ns: 1e9,
  us: 1e6,
  µs: 1e6,
  μs: 1e6,
  ms: 1e3,
  s: 1,
};

const NUMBER = String.raw`(?:\d+(?:\.\d*)?|\.\d+)`;
const BARE = new RegExp(`^${NUMBER}(?:e[+-]?\\d{1,3})?$`, 'i');
const PART = new RegExp(`(${NUMBER})(ns|us|µs|μs|ms|s|m|h|d)`, 'y');

/** Seconds, or null where `text` is no duration. A leading minus is understood; callers judge the sign. */
export function parseDuration(text: string): number | null {
  const trimmed = text.trim();
  const negative = trimmed.startsWith('-');
  const size = parseSize(negative ? trimmed.slice(1) : trimmed);
  if (size === null || !Number.isFinite(size)) return null;
  return negative ? -size : size;
}

function parseSize(text: string): number | null {
  if (BARE.test(text)) return Number(text);
  let seconds = 0;
  PART.lastIndex = 0;
  for (let at = 0; at < text.length; at = PART.lastIndex) {
    const part = PART.exec(text);
    if (part === null) return null;
    const amount = Number(part[1]);
    const unit = part[2]!;
    const perSecond = PER_SECOND_OF_UNIT[unit];
    seconds += perSecond === undefined ? amount * SECONDS_OF_UNIT[unit]! : amount / perSecond;
  }
  return text === '' ? null : seconds;
}

/** Text that {@link parseDuration} reads back as exactly this number of seconds (finite, not negative). */
export function formatDuration(seconds: number): string {
  const text = String(seconds);
  return text.includes('e') ? text : `${text}s`;
}
