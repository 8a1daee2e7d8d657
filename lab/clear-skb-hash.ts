/**
 * Makes a router choose by the packet's five-tuple, as a router does whose packets come over a wire.
 *
 * A packet of a local TCP socket carries the socket's own random hash (skb->l4_hash), which survives a veth into
 * another namespace; the kernel's multipath code then uses it instead of the five-tuple. On the router's ingress device
 * this program forgets it:
 *
 *     call bpf_set_hash_invalid      r1 is still the packet
 *     r0 = 0                         TC_ACT_OK
 *     exit
 *
 * It is written as the ELF object that `tc` loads by itself: nothing is pinned, and it is gone with the namespace.
 */
import { writeFileSync } from 'node:fs';

/** the section that `tc` is told to load, and its one function */
export const PROGRAM_SECTION = 'tc';
const FUNCTION = 'clear_skb_hash';

const BPF_FUNC_SET_HASH_INVALID = 41;
const INSTRUCTIONS: readonly (readonly [opcode: number, immediate: number])[] = [
  [0x85, BPF_FUNC_SET_HASH_INVALID],
  [0xb7, 0],
  [0x95, 0],
];

const ELF_HEADER_BYTES = 64;
const SECTION_HEADER_BYTES = 64;
const SYMBOL_BYTES = 24;
const EM_BPF = 247;
const ET_REL = 1;
const PROGBITS = 1;
const SYMTAB = 2;
const STRTAB = 3;
const ALLOC_EXEC = 6;
const GLOBAL_FUNCTION = 0x12;
const GLOBAL_OBJECT = 0x11;

interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly bytes: Buffer;
  readonly link: number;
  readonly info: number;
  readonly entryBytes: number;
}

export function writeClearSkbHash(file: string): void {
  writeFileSync(file, elfObject());
}

function elfObject(): Buffer {
  const strings = stringTable([FUNCTION, 'license', '.symtab', '.strtab', PROGRAM_SECTION]);
  const section = (name: string, type: number, bytes: Buffer, more: Partial<Section> = {}): Section => ({
    ...{ name, type, bytes, flags: 0, link: 0, info: 0, entryBytes: 0 },
    ...more,
  });
  const symbols = Buffer.concat([
    symbol(0, 0, 0, 0),
    symbol(strings.at(FUNCTION), GLOBAL_FUNCTION, 1, INSTRUCTIONS.length * 8),
    symbol(strings.at('license'), GLOBAL_OBJECT, 2, 4),
  ]);
  const sections = [
    section('', 0, Buffer.alloc(0)),
    section(PROGRAM_SECTION, PROGBITS, program(), { flags: ALLOC_EXEC }),
    section('license', PROGBITS, Buffer.from('GPL\0'), { flags: 3 }),
    section('.symtab', SYMTAB, symbols, { link: 4, info: 1, entryBytes: SYMBOL_BYTES }),
    section('.strtab', STRTAB, strings.bytes),
  ];
  const headers: Buffer[] = [];
  const bodies: Buffer[] = [];
  let at = ELF_HEADER_BYTES + sections.length * SECTION_HEADER_BYTES;
  for (const one of sections) {
    headers.push(sectionHeader(one, one.name === '' ? 0 : strings.at(one.name), at));
    const padded = Buffer.alloc(Math.ceil(one.bytes.length / 8) * 8);
    one.bytes.copy(padded);
    bodies.push(padded);
    at += padded.length;
  }
  return Buffer.concat([elfHeader(sections.length), ...headers, ...bodies]);
}

function program(): Buffer {
  const bytes = Buffer.alloc(INSTRUCTIONS.length * 8);
  INSTRUCTIONS.forEach(([opcode, immediate], i) => {
    bytes.writeUInt8(opcode, i * 8);
    bytes.writeInt32LE(immediate, i * 8 + 4);
  });
  return bytes;
}

function stringTable(texts: readonly string[]): { bytes: Buffer; at: (text: string) => number } {
  const joined = `\0${texts.join('\0')}\0`;
  return { bytes: Buffer.from(joined), at: (text) => joined.indexOf(`\0${text}\0`) + 1 };
}

function elfHeader(sections: number): Buffer {
  const bytes = Buffer.alloc(ELF_HEADER_BYTES);
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]).copy(bytes);
  bytes.writeUInt16LE(ET_REL, 16);
  bytes.writeUInt16LE(EM_BPF, 18);
  bytes.writeUInt32LE(1, 20);
  bytes.writeBigUInt64LE(BigInt(ELF_HEADER_BYTES), 40);
  bytes.writeUInt16LE(ELF_HEADER_BYTES, 52);
  bytes.writeUInt16LE(SECTION_HEADER_BYTES, 58);
  bytes.writeUInt16LE(sections, 60);
  bytes.writeUInt16LE(sections - 1, 62);
  return bytes;
}

function sectionHeader(section: Section, nameAt: number, at: number): Buffer {
  const bytes = Buffer.alloc(SECTION_HEADER_BYTES);
  bytes.writeUInt32LE(nameAt, 0);
  bytes.writeUInt32LE(section.type, 4);
  bytes.writeBigUInt64LE(BigInt(section.flags), 8);
  bytes.writeBigUInt64LE(section.type === 0 ? 0n : BigInt(at), 24);
  bytes.writeBigUInt64LE(BigInt(section.bytes.length), 32);
  bytes.writeUInt32LE(section.link, 40);
  bytes.writeUInt32LE(section.info, 44);
  bytes.writeBigUInt64LE(section.type === 0 ? 0n : 8n, 48);
  bytes.writeBigUInt64LE(BigInt(section.entryBytes), 56);
  return bytes;
}

function symbol(nameAt: number, kind: number, section: number, size: number): Buffer {
  const bytes = Buffer.alloc(SYMBOL_BYTES);
  bytes.writeUInt32LE(nameAt, 0);
  bytes.writeUInt8(kind, 4);
  bytes.writeUInt16LE(section, 6);
  bytes.writeBigUInt64LE(BigInt(size), 16);
  return bytes;
}
