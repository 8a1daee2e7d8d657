/** The files in a tar archive, one after the other as it is read; nothing is unpacked to disk. */
import { pipeline, type Readable } from 'node:stream';
import { extract } from 'tar-stream';
import { FlowfateError } from '../errors.js';
import { inflated, type OpenFile } from './byte-stream.js';

/** More is no dump of a cluster but an attempt on our time. */
const MAX_ENTRIES = 500_000;

export interface ArchiveEntry {
  readonly name: string;
  /** read to its end or not at all: whoever stops in the middle stops the archive */
  readonly content: Readable;
}

export async function* archiveEntries({
  name,
  content,
}: OpenFile): AsyncGenerator<ArchiveEntry, void, undefined> {
  const tar = extract();
  pipeline(content, tar, () => {});
  let entries = 0;
  try {
    for await (const entry of tar) {
      if (++entries > MAX_ENTRIES) {
        throw new FlowfateError(
          'config',
          `${name} holds more than ${MAX_ENTRIES} files; give the archive of the dump alone`,
          { file: name },
        );
      }
      if (entry.header.type === 'file' || entry.header.type === 'contiguous-file') {
        const inside = entry as unknown as Readable;
        const path = entry.header.name;
        yield {
          name: path,
          content: path.endsWith('.gz') ? await inflated(`${name}:${path}`, inside) : inside,
        };
      }
      entry.resume();
    }
  } catch (error) {
    if (error instanceof FlowfateError) throw error;
    throw new FlowfateError(
      'input',
      `${name} is damaged: the archive ends or breaks in the middle; fetch it again`,
      { file: name },
    );
  }
}
