/** A file of a node's state, or all files of an archive or a folder of them. */
import type { Readable } from 'node:stream';
import { FlowfateError } from '../errors.js';
import { archiveEntries } from '../input/archive.js';
import { openFile, openStandardInput } from '../input/byte-stream.js';
import { filesUnder, isFolder } from '../input/folder.js';
import type { StateFile } from '../netfilter/node-state.js';

/** A node with every rule, set and connection prints less. */
const MAX_BYTES = 512 * 1024 * 1024 - 64;

/** @param node of an archive or folder that has a folder of this name only what stands there is taken */
export async function readStateFiles(path: string, node: string, stdin: number): Promise<StateFile[]> {
  if (path !== '-' && isFolder(path)) {
    const found: StateFile[] = [];
    for (const { file, size } of filesUnder(path)) {
      const opened = size > 0 ? await openFile(file) : null;
      if (opened?.form === 'plain') found.push(await stateFile(file, opened.content, true));
      else opened?.content.destroy();
    }
    return ofNode(found, node);
  }
  const file = path === '-' ? await openStandardInput(stdin) : await openFile(path);
  if (file.form !== 'tar') return [await stateFile(path, file.content, false)];
  const found: StateFile[] = [];
  for await (const { name, content } of archiveEntries(file)) {
    found.push(await stateFile(`${file.name}:${name}`, content, true));
  }
  return ofNode(found, node);
}

function ofNode(found: readonly StateFile[], node: string): StateFile[] {
  const own = found.filter(({ name }) =>
    name
      .split(/[/\\:]/)
      .slice(0, -1)
      .includes(node),
  );
  return own.length > 0 ? own : [...found];
}

async function stateFile(name: string, content: Readable, isFound: boolean): Promise<StateFile> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of content) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length > MAX_BYTES) {
      throw new FlowfateError('config', `${name} is larger than 512 MiB, which no node's rules are`, {
        file: name,
      });
    }
  }
  return { name, text: Buffer.concat(chunks).toString('utf8'), isFound };
}
