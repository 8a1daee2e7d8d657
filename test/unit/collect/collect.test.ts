import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { objectsOf } from '../../../src/cluster/scenario/source-objects.js';
import { Problems } from '../../../src/cluster/yaml/problems.js';
import { captureCommand, OBJECT_COMMANDS, shellLine } from '../../../src/collect/commands.js';
import { readSources } from '../../../src/input/read-sources.js';
import { runCommand } from '../cli/made-io.js';

const root = mkdtempSync(join(tmpdir(), 'flowfate-collect-'));
const path = process.env.PATH;
afterEach(() => {
  process.env.PATH = path;
});
afterAll(() => rmSync(root, { recursive: true }));

/** A program of this name, before all others. */
function program(name: string, script: string): void {
  const file = join(root, name);
  writeFileSync(file, `#!/bin/sh\n${script}`);
  chmodSync(file, 0o755);
  process.env.PATH = `${root}${delimiter}${path}`;
}

const SERVICES = JSON.stringify({
  apiVersion: 'v1',
  kind: 'List',
  items: [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.10' }] } },
    },
  ],
});
const PODS = JSON.stringify({
  apiVersion: 'v1',
  kind: 'List',
  items: [
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p' },
      spec: { containers: [{ name: 'c', image: 'shop', env: [{ name: 'PASSWORD', value: 'hunter2' }] }] },
    },
  ],
});
const KUBECTL = `case "$2" in
services) echo '${SERVICES}';;
pods) echo '${PODS}';;
configmap) echo 'Error from server (NotFound): configmaps "x" not found' >&2; exit 1;;
*metallb*) echo "error: the server doesn't have a resource type \\"$2\\"" >&2; exit 1;;
nodes) echo 'Error from server (Forbidden): nodes is forbidden' >&2; exit 1;;
*) echo '{"apiVersion":"v1","kind":"List","items":[]}';;
esac`;

describe('flowfate collect', () => {
  test('prints every command with what an answer without it rests on, and asks for no secret', async () => {
    const { status, out, err } = await runCommand(['collect']);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).toContain('kubectl get endpointslices.discovery.k8s.io -A -o json > endpointslices.json');
    expect(out).toContain(
      'ip -j nexthop > ip-nexthop.json\n    # groups: weights, resilient or not; without it: groups are taken as not resilient',
    );
    expect(out).toContain("tcpdump -i '<interface to the clients>' -s 192");
    expect(out).not.toMatch(/secret/i);
  });

  test('runs kubectl into an archive that --cluster takes, without environments', async () => {
    program('kubectl', KUBECTL);
    const archive = join(root, 'a.tgz');
    const { status, out, err } = await runCommand(['collect', '--run', '--out', archive]);
    expect(status).toBe(0);
    expect(err).toContain(
      'failed: kubectl get nodes -A -o json: Error from server (Forbidden): nodes is forbidden\n',
    );
    expect(err).toContain('not in this cluster: kubectl get ipaddresspools.metallb.io -A -o json\n');
    expect(out).toContain('kubectl get nodes -A -o json\n      nothing can be said');
    expect(out).toContain("'(host 192.0.2.10) or (vlan and (host 192.0.2.10))'");
    const { files } = await readSources(archive, { stdin: 0, many: true });
    const objects = files.flatMap(({ documents }) =>
      documents.flatMap((one) => objectsOf(one, new Problems())),
    );
    expect(objects.map(({ kind, data }) => `${kind}/${(data.metadata as { name: string }).name}`)).toEqual([
      'Service/web',
      'Pod/p',
    ]);
    expect(JSON.stringify(objects.map(({ data }) => data))).not.toContain('hunter2');
  });

  test('asks an unreachable cluster once, writes nothing, and exits with 4', async () => {
    program('kubectl', 'echo "Unable to connect to the server: dial tcp: i/o timeout" >&2; exit 1');
    const archive = join(root, 'none.tgz');
    const { status, err } = await runCommand(['collect', '--run', '--out', archive]);
    expect(status).toBe(4);
    expect(err.split('\n').filter((line) => line.startsWith('failed'))).toHaveLength(1);
    expect(err).toContain(
      'flowfate: nothing was collected: kubectl says "Unable to connect to the server: dial tcp: i/o timeout"',
    );
    expect(existsSync(archive)).toBe(false);
  });

  test('on the router adds its tables, which --cluster then finds by itself', async () => {
    program('kubectl', KUBECTL);
    program(
      'ip',
      `[ "$2" = route ] && cat ${join(import.meta.dirname, '..', '..', 'golden', 'router-tables', 'ip-route-legacy.json')} || echo '[]'`,
    );
    const archive = join(root, 'router.tgz');
    expect((await runCommand(['collect', '--run', '--here', 'router', '--out', archive])).status).toBe(0);
    const { router } = await readSources(archive, { stdin: 0, many: true });
    expect(router.find(({ name }) => name.endsWith('/router/ip-route.json'))?.text).toContain('203.0.113.20');
  });

  test('refuses --here without --run, and a folder that is not there', async () => {
    expect((await runCommand(['collect', '--here', 'router'])).err).toBe(
      'flowfate: --here says what to run: give --run, too\n',
    );
    program('kubectl', KUBECTL);
    const { status, err } = await runCommand(['collect', '--run', '--out', join(root, 'absent', 'a.tgz')]);
    expect({ status, last: err.trim().split('\n').at(-1) }).toEqual({
      status: 2,
      last: `flowfate: ${join(root, 'absent', 'a.tgz')} cannot be written (ENOENT)`,
    });
  });

  test('asks for no kind of the core that holds secrets', () => {
    expect(
      OBJECT_COMMANDS.map(shellLine).filter((line) =>
        /secret|configmaps? -A(?! -l f5type=virtual-server)/.test(line),
      ),
    ).toEqual([]);
    expect(shellLine(captureCommand(['10.0.0.1', '2001:db8::1']))).toContain(
      'host 10.0.0.1 or host 2001:db8::1',
    );
  });
});
