/** Numbers, times and spans as the page writes them. */

const WHOLE = new Intl.NumberFormat('en');

export function count(n: number): string {
  return WHOLE.format(n);
}

/** 12.3 k, 4.56 M: at most five characters. */
export function short(n: number): string {
  if (n < 10_000) return count(n);
  const [divisor, unit] = n < 1e6 ? [1e3, 'k'] : n < 1e9 ? [1e6, 'M'] : [1e9, 'G'];
  const scaled = n / divisor;
  return `${scaled.toFixed(scaled < 10 ? 2 : scaled < 100 ? 1 : 0)} ${unit}`;
}

export function counted(n: number, noun: string): string {
  return `${count(n)} ${noun}${n === 1 ? '' : 's'}`;
}

export function percent(share: number): string {
  const value = share * 100;
  return `${value === 0 || value >= 10 ? Math.round(value) : value.toFixed(1)} %`;
}

/** The two largest units: "3 d 4 h", "12 m 5 s", "0.8 s". */
export function span(s: number): string {
  if (s < 10) return `${s.toFixed(1)} s`;
  const units: readonly (readonly [number, string])[] = [
    [86400, 'd'],
    [3600, 'h'],
    [60, 'm'],
    [1, 's'],
  ];
  const whole = Math.round(s);
  const at = units.findIndex(([size]) => whole >= size);
  const [size, unit] = units[at]!;
  const smaller = units[at + 1];
  const rest = smaller === undefined ? 0 : Math.floor((whole % size) / smaller[0]);
  return `${Math.floor(whole / size)} ${unit}${rest > 0 ? ` ${rest} ${smaller![1]}` : ''}`;
}

/** Time of day of a moment in milliseconds since 1970, with tenths of seconds. */
export function clock(ms: number): string {
  const date = new Date(ms);
  const two = (n: number): string => String(n).padStart(2, '0');
  const tenths = Math.floor(date.getMilliseconds() / 100);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${tenths}`;
}

export function hostPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
