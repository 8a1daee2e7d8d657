/**
 * Head of an HTTP/1.x request (RFC 9112 sections 2 to 5): request line and fields, found in octets and written anew.
 *
 *     method SP target SP HTTP/1.x CRLF  *( name ":" OWS value OWS CRLF )  CRLF
 *
 * What is not a head is told apart from one that is only cut short, so that a capture with a small snap length
 * still shows the fields that it holds. A line may end in a bare LF (section 2.2); a folded line, white space
 * before the colon and a name that is no token are faults, as they are for the proxies that guard against
 * request smuggling. Reading allocates: a head is read once a connection, not once a packet.
 */

/** proxies accept less; more is no head */
export const MAX_HEAD_BYTES = 65536;

export interface HeaderField {
  /** as written */
  readonly name: string;
  /** without the white space around it */
  readonly value: string;
}

export interface RequestHead {
  readonly method: string;
  readonly target: string;
  /** 0 or 1, of HTTP/1.x */
  readonly minorVersion: number;
  readonly fields: readonly HeaderField[];
  /** offset after the empty line; where the head is cut short, the end of the last whole line */
  readonly end: number;
  readonly isWhole: boolean;
}

const LF = 0x0a;
const CR = 0x0d;
const REQUEST_LINE = /^([!#$%&'*+.^_`|~\w-]+) (\S+) HTTP\/1\.([01])$/;
const FIELD = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/;
/** longest method that is in use, and a space: enough to tell a request from other traffic */
const SURE_BYTES = 24;

/** The head that begins at `bytes[at]`; null where none does. */
export function parseRequestHead(bytes: Uint8Array, at: number, end: number): RequestHead | null {
  const limit = Math.min(end, at + MAX_HEAD_BYTES);
  const firstEnd = bytes.subarray(at, limit).indexOf(LF);
  if (firstEnd < 0) return null;
  const request = REQUEST_LINE.exec(lineText(bytes, at, at + firstEnd));
  if (request === null) return null;
  const fields: HeaderField[] = [];
  let lineAt = at + firstEnd + 1;
  let isWhole = false;
  for (;;) {
    const length = bytes.subarray(lineAt, limit).indexOf(LF);
    if (length < 0) break;
    const text = lineText(bytes, lineAt, lineAt + length);
    lineAt += length + 1;
    if (text === '') {
      isWhole = true;
      break;
    }
    const field = FIELD.exec(text);
    if (field === null) return null;
    fields.push({ name: field[1]!, value: field[2]! });
  }
  if (!isWhole && limit < end) return null;
  const [, method, target, minor] = request;
  return { method: method!, target: target!, minorVersion: Number(minor), fields, end: lineAt, isWhole };
}

/** Whether `bytes[at .. end)` could still become a request when more comes. */
export function mayBeRequest(bytes: Uint8Array, at: number, end: number): boolean {
  const text = lineText(bytes, at, Math.min(end, at + SURE_BYTES));
  return /^[A-Z]{0,16}$|^[A-Z]{1,16} \S*$|^[A-Z]{1,16} \S+ H?/.test(text);
}

/** Values of the fields called `name`, in order: several fields are one list (RFC 9110 section 5.3). */
export function valuesOf(fields: readonly HeaderField[], name: string): string[] {
  const lower = name.toLowerCase();
  return fields.filter((field) => field.name.toLowerCase() === lower).map(({ value }) => value);
}

/** The head as octets, its fields replaced by `fields`. */
export function writeRequestHead(head: RequestHead, fields: readonly HeaderField[]): Uint8Array {
  const lines = fields.map(({ name, value }) => `${name}: ${value}\r\n`).join('');
  const text = `${head.method} ${head.target} HTTP/1.${head.minorVersion}\r\n${lines}\r\n`;
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

/** Octets as Latin-1, without the CR of the line end. */
function lineText(bytes: Uint8Array, at: number, end: number): string {
  const last = end > at && bytes[end - 1] === CR ? end - 1 : end;
  let text = '';
  for (let i = at; i < last; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}
