/** Values of options, read with a sentence that says what was expected. */
import { parseDuration } from '../cluster/yaml/duration.js';
import { FlowfateError } from '../errors.js';

/** An unsigned 32-bit number, decimal or 0x hexadecimal. */
export function parseUint32(option: string): (text: string) => number {
  return (text) => {
    const value = /^(\d+|0x[0-9a-f]+)$/i.test(text) ? Number(text) : Number.NaN;
    if (!(value <= 0xffffffff)) {
      throw new FlowfateError(
        'usage',
        `${option} ${text}: expected a number from 0 to 4294967295, decimal or 0x hexadecimal`,
      );
    }
    return value;
  };
}

/** A whole number of at least `least`. */
export function parseWhole(option: string, least: number): (text: string) => number {
  return (text) => {
    const value = /^(\d+|0x[0-9a-f]+)$/i.test(text) ? Number(text) : Number.NaN;
    if (!(value >= least && Number.isSafeInteger(value))) {
      throw new FlowfateError('usage', `${option} ${text}: expected a whole number of at least ${least}`);
    }
    return value;
  };
}

/** A time in seconds, written as in a scenario: 250ms, 5s, 2m. */
export function parseTime(option: string): (text: string) => number {
  return (text) => {
    const seconds = parseDuration(text);
    if (seconds === null) {
      throw new FlowfateError('usage', `${option} ${text}: expected a duration like 250ms, 5s or 2m`);
    }
    return seconds;
  };
}
