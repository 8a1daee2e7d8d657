/** Guesses what a file is that is no capture, so that its refusal can say what to do about it. */

interface Magic {
  readonly octets: readonly number[];
  readonly what: string;
}

/** a phrase that completes "it looks like …" */
const MAGICS: readonly Magic[] = [
  { octets: [0x50, 0x4b, 0x03, 0x04], what: 'a zip archive (unpack it first)' },
  { octets: [0x1f, 0x8b], what: 'gzip inside gzip (unpack it once first)' },
  { octets: [0xfd, 0x37, 0x7a, 0x58, 0x5a], what: 'xz (unpack it with xz -d first)' },
  { octets: [0x28, 0xb5, 0x2f, 0xfd], what: 'zstd (unpack it with zstd -d first)' },
  { octets: [0x04, 0x22, 0x4d, 0x18], what: 'lz4 (unpack it with lz4 -d first)' },
  { octets: [0x42, 0x5a, 0x68], what: 'bzip2 (unpack it with bzip2 -d first)' },
  { octets: [0x7f, 0x45, 0x4c, 0x46], what: 'a program (ELF)' },
  { octets: [0x73, 0x6e, 0x6f, 0x6f, 0x70, 0x00], what: 'a snoop capture (convert it with editcap first)' },
  { octets: [0x47, 0x4d, 0x42, 0x55], what: 'a Network Monitor capture (convert it with editcap first)' },
  { octets: [0x89, 0x50, 0x4e, 0x47], what: 'an image' },
  { octets: [0x25, 0x50, 0x44, 0x46], what: 'a PDF document' },
];

/** IANA's MRT types that dumps of collectors have, at octet 4 */
const MRT_TYPES = new Set([12, 13, 16, 17]);
const MAX_MRT_SUBTYPE = 16;
const MRT_HEADER_BYTES = 12;

/** A phrase that completes "it looks like …"; undefined if nothing is recognised. */
export function describeForeignFormat(head: Uint8Array): string | undefined {
  for (const { octets, what } of MAGICS) {
    if (octets.every((octet, i) => head[i] === octet)) return what;
  }
  if (head.every((octet) => octet === 0)) return 'nothing but zeros';
  if (isText(head)) return describeText(new TextDecoder().decode(head));
  if (isMrt(head)) return 'an MRT dump (read it with: flowfate mrt)';
  return undefined;
}

function isText(head: Uint8Array): boolean {
  return head.every((octet) =>
    octet >= 0x20 ? octet !== 0x7f : octet === 0x09 || octet === 0x0a || octet === 0x0d,
  );
}

function describeText(text: string): string {
  const start = text.trimStart();
  if (/^[{[]/.test(start)) return 'JSON text';
  if (/^(---|apiVersion:|kind:|%YAML)/.test(start)) return 'YAML text (a scenario is given with --scenario)';
  if (/^(<!doctype|<html|<\?xml)/i.test(start)) return 'a web page or XML';
  if (/^version https:\/\/git-lfs/.test(start))
    return 'a Git LFS pointer (fetch the file itself with git lfs pull)';
  return 'plain text';
}

function isMrt(head: Uint8Array): boolean {
  if (head.length < MRT_HEADER_BYTES) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  return MRT_TYPES.has(view.getUint16(4)) && view.getUint16(6) <= MAX_MRT_SUBTYPE;
}
