/** The files under a folder, in the order of their names, so that the later of two equal objects is always the same. */
import { type Dirent, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { FlowfateError } from '../errors.js';

/** No dump has more; a whole file system does. */
const MAX_FILES = 200_000;
const MAX_DEPTH = 32;

export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

export interface FoundFile {
  readonly file: string;
  readonly size: number;
}

/** Links are followed to files, not to folders: a dump does not lead out of itself. */
export function* filesUnder(root: string): Generator<FoundFile, void, undefined> {
  let files = 0;
  for (const found of walk(root, 0)) {
    if (++files > MAX_FILES) {
      throw new FlowfateError(
        'config',
        `${root} holds more than ${MAX_FILES} files; name the folder of the dump`,
        { file: root },
      );
    }
    yield found;
  }
}

function* walk(folder: string, depth: number): Generator<FoundFile, void, undefined> {
  for (const entry of entriesOf(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (depth < MAX_DEPTH && entry.name !== '.git') yield* walk(path, depth + 1);
      continue;
    }
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isFile() === true) yield { file: path, size: stat.size };
  }
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    throw new FlowfateError('config', `${folder} cannot be read (${(error as NodeJS.ErrnoException).code})`, {
      file: folder,
    });
  }
}
