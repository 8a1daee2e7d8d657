/**
 * What `--cluster` and `--scenario` name, as documents: files, folders, archives, standard input; compressed or not.
 * Everything is told by its content, not by its name.
 *
 * In folders and archives files are found, not named: what holds no Kubernetes objects there (logs, pages, captures)
 * is passed over, damage in one file costs that file, and secrets are not opened.
 */
import type { Readable } from 'node:stream';
import { pruneObject } from '../cluster/kubernetes/prune-object.js';
import type { RouterText } from '../cluster/router-tables/read-router-tables.js';
import type { SourceFile } from '../cluster/scenario/load-scenario.js';
import { isSecretPath } from '../cluster/scenario/type-by-path.js';
import { DocumentReader, textOfOctets } from '../cluster/yaml/document-reader.js';
import { Problems } from '../cluster/yaml/problems.js';
import { FlowfateError } from '../errors.js';
import { archiveEntries } from './archive.js';
import { type OpenFile, openFile, openStandardInput } from './byte-stream.js';
import { filesUnder, isFolder } from './folder.js';

export interface SourceOptions {
  /** descriptor of standard input */
  readonly stdin: number;
  /** whether folders and archives may be named */
  readonly many: boolean;
}

/** A file of a router's tables, in a dump that `flowfate collect` wrote. */
const OF_ROUTER = /(^|[/\\])router[/\\][^/\\]+$/;
/** A string holds no more; a router with a full table of the internet prints about this much. */
const MAX_TEXT_BYTES = 512 * 1024 * 1024 - 64;

export interface Sources {
  readonly files: readonly SourceFile[];
  /** tables of the router that stand in the folder or archive beside the cluster's objects */
  readonly router: readonly RouterText[];
}

/**
 * The documents of one argument. A named file that is none yields its problems; a folder or archive without any
 * object is refused.
 */
export async function readSources(path: string, options: SourceOptions): Promise<Sources> {
  const router: RouterText[] = [];
  return { files: await readFiles(path, options, router), router };
}

/** What `--router-state` names: a file, or a folder or archive of them, of whatever the router printed. */
export async function readRouterState(path: string, stdin: number): Promise<RouterText[]> {
  const texts: RouterText[] = [];
  if (path !== '-' && isFolder(path)) {
    for (const { file, size } of filesUnder(path)) {
      if (size > 0) texts.push(await routerText(file, (await openFile(file)).content, true));
    }
    return texts;
  }
  const file = path === '-' ? await openStandardInput(stdin) : await openFile(path);
  if (file.form !== 'tar') return [await routerText(file.name, file.content, false)];
  for await (const { name, content } of archiveEntries(file)) {
    texts.push(await routerText(`${file.name}:${name}`, content, true));
  }
  // of an archive of everything the router's part
  const own = texts.filter(({ name }) => OF_ROUTER.test(name));
  return own.length > 0 ? own : texts;
}

/** One named file or standard input, decompressed, as text. `instead`: what to do where it is larger than a text can be. */
export async function readWhole(path: string, stdin: number, instead: string): Promise<string> {
  const { name, content } = path === '-' ? await openStandardInput(stdin) : await openFile(path);
  return wholeText(name, content, instead);
}

async function routerText(name: string, content: Readable, isFound: boolean): Promise<RouterText> {
  return { name, text: await wholeText(name, content, 'give the routes to the services alone'), isFound };
}

async function wholeText(name: string, content: Readable, instead: string): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of content) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length > MAX_TEXT_BYTES) {
      throw new FlowfateError('config', `${name} is larger than 512 MiB: ${instead}`, { file: name });
    }
  }
  return textOfOctets(Buffer.concat(chunks));
}

async function readFiles(path: string, options: SourceOptions, router: RouterText[]): Promise<SourceFile[]> {
  if (path !== '-' && isFolder(path)) {
    if (!options.many)
      throw new FlowfateError('config', `${path} is a directory: name a file in it`, { file: path });
    const found: SourceFile[] = [];
    let files = 0;
    for (const { file, size } of filesUnder(path)) {
      files++;
      if (OF_ROUTER.test(file)) router.push(await routerText(file, (await openFile(file)).content, true));
      else found.push(...(await readFound(file, size)));
    }
    return orRefuse(found, path, files);
  }
  const file = path === '-' ? await openStandardInput(options.stdin) : await openFile(path);
  if (file.form !== 'tar') return [await readStream(file.name, file.content, 'named')];
  if (!options.many) {
    throw new FlowfateError('config', `${file.name} is an archive: a scenario is one YAML file`, {
      file: path,
    });
  }
  return readArchive(file, router);
}

async function readArchive(file: OpenFile, router: RouterText[]): Promise<SourceFile[]> {
  const found: SourceFile[] = [];
  let files = 0;
  for await (const { name, content } of archiveEntries(file)) {
    files++;
    if (OF_ROUTER.test(name)) router.push(await routerText(`${file.name}:${name}`, content, true));
    else if (isOfInterest(name)) found.push(...(await readEntry(`${file.name}:${name}`, content, 'archive')));
  }
  return orRefuse(found, file.name, files);
}

async function readFound(path: string, size: number): Promise<SourceFile[]> {
  if (size === 0 || !isOfInterest(path)) return [];
  const file = await openFile(path);
  // archives inside of a folder are not unpacked, unless they are named
  if (file.form === 'tar') {
    file.content.destroy();
    return [];
  }
  return readEntry(path, file.content, 'file');
}

async function readEntry(name: string, content: Readable, from: 'file' | 'archive'): Promise<SourceFile[]> {
  const file = await readStream(name, content, from);
  return file.documents.length === 0 && file.problems.count === 0 ? [] : [file];
}

/** Endings of what dumps hold beside objects. */
const OTHERS =
  /\.(log|txt|md|html?|css|js|png|svg|pcap(ng)?|cap|tar|tgz|zip|xz|bz2|zst|csv|sh|py|go|crt|pem|key|conf|service|err)(\.gz)?$/i;

function isOfInterest(path: string): boolean {
  const base = path.split(/[/\\]/).at(-1)!;
  return !base.startsWith('.') && !OTHERS.test(base) && !isSecretPath(path);
}

async function readStream(
  name: string,
  content: Readable,
  from: 'named' | 'file' | 'archive',
): Promise<SourceFile> {
  const isFound = from !== 'named';
  const problems = new Problems();
  const reader = new DocumentReader(name, problems, pruneObject);
  let isFirst = true;
  let isOther = false;
  for await (const chunk of content) {
    if (isFirst && isFound) isOther = !looksLikeObjects(chunk as Buffer);
    isFirst = false;
    if (!isOther) reader.push(chunk as Buffer);
    // an archive goes on only behind the end of its entry
    else if (from === 'file') break;
  }
  if (isOther) return { name, problems, isFound, documents: [], isEmpty: true };
  if (!isFound) return { name, problems, isFound, ...reader.end() };
  try {
    return { name, problems, isFound, ...reader.end() };
  } catch (error) {
    if (!(error instanceof FlowfateError)) throw error;
    problems.add({}, error.message);
    return { name, problems, isFound, documents: [], isEmpty: false };
  }
}

/** Whether the beginning of a file that was found can be Kubernetes objects: JSON, or YAML with the usual keys. */
function looksLikeObjects(head: Buffer): boolean {
  const text = head.toString('latin1').replaceAll('\0', '');
  return (
    /^(\xef\xbb\xbf|\xff\xfe|\xfe\xff)?\s*[[{]/.test(text) || /^\W*(apiVersion|kind|metadata):/m.test(text)
  );
}

function orRefuse(found: SourceFile[], path: string, files: number): SourceFile[] {
  if (found.some(({ documents }) => documents.length > 0)) return found;
  const damage = found[0]?.problems.firstSentence();
  const why = damage === undefined || damage === null ? '' : ` (${damage})`;
  throw new FlowfateError(
    'config',
    `${path} holds no Kubernetes objects: none in ${files} file${files === 1 ? '' : 's'}${why}; give what kubectl get -o yaml or flowfate collect writes`,
    { file: path },
  );
}
