/** A file of a node's state, or all files of an archive or a folder of them. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { FlowfateError } from '../errors.js';
import type { StateFile } from '../netfilter/node-state.js';

export function readStateFiles(path: string): StateFile[] {
  try {
    if (statSync(path).isDirectory()) {
      return readdirSync(path)
        .sort()
        .flatMap((name) => readStateFiles(join(path, name)));
    }
    let octets: Buffer = readFileSync(path);
    if (octets[0] === 0x1f && octets[1] === 0x8b) octets = gunzipSync(octets);
    if (isTar(octets)) return [...tarFiles(octets)];
    return [{ name: path, text: octets.toString('utf8') }];
  } catch (error) {
    if (error instanceof FlowfateError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    const what =
      code === 'ENOENT' ? 'does not exist' : `cannot be read (${code ?? (error as Error).message})`;
    throw new FlowfateError('input', `${path} ${what}`, { file: path });
  }
}

/** POSIX ustar and GNU: the magic stands at 257 */
function isTar(octets: Buffer): boolean {
  return octets.length >= 512 && octets.toString('latin1', 257, 262) === 'ustar';
}

function* tarFiles(octets: Buffer): Iterable<StateFile> {
  for (let at = 0; at + 512 <= octets.length && octets[at] !== 0; ) {
    const textAt = (from: number, length: number): string =>
      octets.toString('utf8', at + from, at + from + length).replace(/\0.*$/s, '');
    const size = Number.parseInt(textAt(124, 12).trim() || '0', 8);
    const type = String.fromCharCode(octets[at + 156]!);
    const prefix = textAt(345, 155);
    const name = prefix === '' ? textAt(0, 100) : `${prefix}/${textAt(0, 100)}`;
    if ((type === '0' || type === '\0') && size > 0) {
      yield { name, text: octets.toString('utf8', at + 512, at + 512 + size) };
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
}
