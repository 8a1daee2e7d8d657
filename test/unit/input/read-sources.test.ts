import { mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, describe, expect, test } from 'vitest';
import { isScenario, objectsOf } from '../../../src/cluster/scenario/source-objects.js';
import { Problems } from '../../../src/cluster/yaml/problems.js';
import { readSources } from '../../../src/input/read-sources.js';

const root = mkdtempSync(join(tmpdir(), 'flowfate-sources-'));
afterAll(() => rmSync(root, { recursive: true }));

let made = 0;
function file(name: string, content: string | Buffer): string {
  const path = join(root, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

async function tar(files: Record<string, string | Buffer>): Promise<Buffer> {
  const archive = pack();
  for (const [name, content] of Object.entries(files)) archive.entry({ name }, content);
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function folder(files: Record<string, string | Buffer>): string {
  const name = `folder${made++}`;
  for (const [path, content] of Object.entries(files)) file(join(name, path), content);
  return join(root, name);
}

/** `Kind/name` of every object in what `path` names. */
async function objects(path: string, stdin = 0): Promise<string[]> {
  const problems = new Problems();
  const { files } = await readSources(path, { stdin, many: true });
  const found = files.flatMap(({ documents, isFound }) => {
    const own = isFound ? new Problems() : problems;
    return documents.flatMap((one) => objectsOf(one, own));
  });
  problems.throwIfAny();
  expect(found.some(isScenario)).toBe(false);
  return found.map(({ kind, data }) => `${kind}/${(data.metadata as { name: string }).name}`);
}

const NODE = 'apiVersion: v1\nkind: Node\nmetadata: { name: n1 }\n';
const POD = '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p1"}}';
const bare = (name: string): string => JSON.stringify({ metadata: { name } });
const DUMP = {
  'nodes.yaml': NODE,
  'pods.json.gz': gzipSync(POD),
  'README.txt': 'kind: Nothing\n',
  'web/web-1/logs.txt': '{"level":"info"}\n{',
  'capture.pcap': Buffer.from([0xd4, 0xc3, 0xb2, 0xa1]),
  'secrets.yaml': 'apiVersion: v1\nkind: Secret\nmetadata: { name: s }\n',
};

describe('what --cluster names', () => {
  test('may be a folder: objects are read, logs, texts, captures and secrets are not', async () => {
    expect(await objects(folder(DUMP))).toEqual(['Node/n1', 'Pod/p1']);
  });

  test('may be an archive, packed or not, under any name', async () => {
    const octets = await tar(DUMP);
    for (const [name, content] of [
      ['a.tar', octets],
      ['a.tgz', gzipSync(octets)],
      ['archive', gzipSync(octets)],
    ] as const) {
      expect(await objects(file(name, content))).toEqual(['Node/n1', 'Pod/p1']);
    }
  });

  test('may be standard input', async () => {
    const path = file('stdin', gzipSync(await tar(DUMP)));
    expect(await objects('-', openSync(path, 'r'))).toEqual(['Node/n1', 'Pod/p1']);
  });

  test('may hold objects that have lost their type: their path says it', async () => {
    const path = folder({
      'insights/config/node/ip-10-0-0-1.json': bare('ip-10-0-0-1'),
      'insights/config/pod/openshift-ingress/router-1.json': bare('router-1'),
      'insights/config/alerts.json': '[{"alert":"x"}]',
      'must-gather/namespaces/a/core/services.yaml': 'items:\n- metadata: { name: svc }\n',
      'sos_commands/kubernetes/cluster-info/a/kubectl_get_-o_json_--namespace_a_endpoints': `{"items":[${bare('ep')}]}`,
      'sos_commands/kubernetes/cluster-info/kubectl_get_pv': 'NAME  CAPACITY\n',
    });
    expect((await objects(path)).sort()).toEqual([
      'Endpoints/ep',
      'Node/ip-10-0-0-1',
      'Pod/router-1',
      'Service/svc',
    ]);
  });

  test('damage in a file that was found costs that file and is known by its place', async () => {
    const path = folder({ 'a.yaml': NODE, 'b.json': '{"kind":"Pod","apiVersion":"v1","metadata":{"name":' });
    const { files } = await readSources(path, { stdin: 0, many: true });
    expect(files.map((one) => one.problems.firstSentence())).toEqual([
      null,
      `${join(path, 'b.json')}:1:1: ends in the middle of an object: it was cut off`,
    ]);
  });

  test.each([
    [
      'a folder without objects',
      async () => folder({ 'notes.txt': 'x', 'a.yaml': 'x: 1' }),
      /holds no Kubernetes objects: none in 2 files; give what/,
    ],
    [
      'an empty folder',
      async () => folder({ '.keep': '' }),
      /holds no Kubernetes objects: none in 1 file; give/,
    ],
    ['nothing', async () => join(root, 'absent'), /absent does not exist: check the path/],
    [
      'a damaged archive',
      async () => file('cut.tgz', gzipSync(await tar(DUMP)).subarray(0, 200)),
      /is damaged: .*; fetch it again/,
    ],
    [
      'an xz archive',
      async () => file('a.tar.xz', Buffer.from('fd377a585a000004', 'hex')),
      /compressed with xz, which is not read; unpack it \(tar -xJf\)/,
    ],
  ])('%s is refused in a sentence', async (_, path, message) => {
    await expect(readSources(await path(), { stdin: 0, many: true })).rejects.toThrow(message);
  });

  test('a table that kubectl printed is refused with the remedy', async () => {
    const path = file('nodes.txt', 'NAME   STATUS   ROLES\nn1     Ready    <none>\n');
    await expect(objects(path)).rejects.toThrow(
      /a table of kubectl's: run the command again with -o yaml or -o json/,
    );
  });

  test('keeps no secret, also inside a list', async () => {
    const list = `{"kind":"List","apiVersion":"v1","items":[${POD},{"kind":"Secret","apiVersion":"v1","metadata":{"name":"s"},"data":{"p":"eA=="}}]}`;
    expect(await objects(file('all.json', list))).toEqual(['Pod/p1']);
  });
});
