/** ORIGIN: RFC 4271 section 5.1.1; malformed: RFC 7606 section 7.1. */
import { UPDATE_ERROR } from '../codec/notification-code.js';
import { type AttributeDescriptor, OUTCOME, WELL_KNOWN } from './descriptor.js';

const ORIGIN_VALUE = { igp: 0, egp: 1, incomplete: 2 } as const;

const NAMES = ['igp', 'egp', 'incomplete'];

export const ORIGIN: AttributeDescriptor<number> = {
  code: 1,
  name: 'ORIGIN',
  flags: WELL_KNOWN,
  onMalformed: OUTCOME.treatAsWithdraw,
  check(view, at, end) {
    if (end - at !== 1) return UPDATE_ERROR.attributeLength;
    return view.getUint8(at) > ORIGIN_VALUE.incomplete ? UPDATE_ERROR.invalidOrigin : 0;
  },
  decode: (view, at) => view.getUint8(at),
  encode: (value, out) => out.u8(value),
  toJson: (value) => NAMES[value] ?? value,
};
