/** Attributes whose value is one 32-bit number. */
import { UPDATE_ERROR } from '../codec/notification-code.js';
import type { AttributeDescriptor } from './descriptor.js';

type Registration = Pick<
  AttributeDescriptor<number>,
  'code' | 'name' | 'flags' | 'onMalformed' | 'internalOnly' | 'toJson'
>;

/** The descriptor of an attribute of exactly four octets, any value of which is valid. */
export function uint32Attribute(registration: Registration): AttributeDescriptor<number> {
  return {
    ...registration,
    check: (_view, at, end) => (end - at === 4 ? 0 : UPDATE_ERROR.attributeLength),
    decode: (view, at) => view.getUint32(at),
    encode: (value, out) => out.u32(value),
  };
}
