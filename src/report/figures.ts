/** Numbers as people read them. The same on any machine: no locale is asked. */

/** `1234567` as `1,234,567`. */
export function count(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

/** `1 flow`, `2 flows`. */
export function counted(n: number, noun: string): string {
  return `${count(n)} ${noun}${n === 1 ? '' : 's'}`;
}

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** Decimal units, three significant digits: `3.41 MB`. */
export function bytes(n: number): string {
  let unit = 0;
  while (n >= 999.5 && unit < BYTE_UNITS.length - 1) {
    n /= 1000;
    unit++;
  }
  return `${unit === 0 ? String(n) : n.toFixed(n < 9.995 ? 2 : n < 99.95 ? 1 : 0)} ${BYTE_UNITS[unit]}`;
}

/** A share of a whole: `28.3 %`; a dash where there is no whole; never rounded to 0 or 100 where it is not. */
export function percent(part: number, whole: number): string {
  if (whole === 0) return '–';
  const p = (part / whole) * 100;
  if (part > 0 && p < 0.1) return '< 0.1 %';
  if (part < whole && p > 99.9) return '> 99.9 %';
  return `${Number.isInteger(p) ? p : p.toFixed(1)} %`;
}

/** Seconds since t = 0 with milliseconds: `5.005 s`. */
export function moment(seconds: number): string {
  return `${seconds.toFixed(3)} s`;
}

/** The same with the time of day beside it, where t0 (seconds since 1970) is given. */
export function when(atS: number, t0: number | null): string {
  const date = t0 === null ? null : new Date((t0 + atS) * 1000);
  if (date === null || Number.isNaN(date.getTime())) return moment(atS);
  return `${date.toISOString().slice(11, 23)} UTC, ${moment(atS)}`;
}

/** How long something lasted: `250 ms`, `18.2 s`, `4 min 10 s`, `3 h 20 min`, `2 d 4 h`. */
export function duration(seconds: number): string {
  if (seconds === 0) return '0 s';
  if (seconds < 0.9995) return seconds < 0.0005 ? '< 1 ms' : `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const hours = Math.round(seconds / 3600);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `2026-11-23 03:12:11 UTC`, or the bare number of seconds where a date cannot say it. */
export function utc(secondsSince1970: number): string {
  const date = new Date(secondsSince1970 * 1000);
  if (Number.isNaN(date.getTime())) return `${secondsSince1970} s since 1970`;
  return `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** `203.0.113.10:80` or `[2001:db8::1]:80`. */
export function addressPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
