import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { runCommand } from './made-io.js';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const shipped = (name: string): string => join(ROOT, 'captures', name);

async function schemaOf(of: string) {
  const { status, out, err } = await runCommand(['schema', of]);
  expect({ status, err }).toEqual({ status: 0, err: '' });
  return JSON.parse(out);
}

async function faultsOf(of: string, value: unknown): Promise<unknown> {
  const validate = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(await schemaOf(of));
  validate(value);
  return validate.errors ?? [];
}

async function jsonOf(...argv: string[]) {
  return JSON.parse((await runCommand([...argv, '--format', 'json'])).out);
}

describe('flowfate schema', () => {
  test.each(['scenario', 'router', 'speaker', 'report', 'explain'])('%s is of draft 2020-12', async (of) => {
    expect(await schemaOf(of)).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      title: expect.stringContaining('flowfate'),
      type: 'object',
    });
  });

  test('report holds for what replay prints', async () => {
    const argv = ['--scenario', shipped('cluster-withdraw.yaml'), '--timing'];
    const report = await jsonOf('replay', shipped('cluster-withdraw.pcap.gz'), ...argv);
    expect(await faultsOf('report', report)).toEqual([]);
  });

  test('report holds for a replay in which nothing was judged', async () => {
    const argv = ['--scenario', shipped('local-add.yaml')];
    const report = await jsonOf('replay', shipped('cluster-withdraw.pcap.gz'), ...argv);
    expect(await faultsOf('report', report)).toEqual([]);
  });

  test('report does not hold for a fate that there is not, or a key too many', async () => {
    const report = await jsonOf(
      'replay',
      shipped('local-add.pcap.gz'),
      '--scenario',
      shipped('local-add.yaml'),
    );
    report.flows[0].fate = 'lost';
    report.summary.more = 1;
    expect(await faultsOf('report', report)).toMatchObject([
      { instancePath: '/flows/0/fate', keyword: 'enum' },
      { instancePath: '/summary', params: { additionalProperty: 'more' } },
    ]);
  });

  test('explain holds for what explain prints', async () => {
    const explained = await jsonOf('explain', shipped('cluster-withdraw.pcap.gz'));
    expect(await faultsOf('explain', explained)).toEqual([]);
  });

  test.each(['cluster-withdraw', 'cluster-resilient-withdraw-readd', 'local-add', 'local-rolling-frr'])(
    'scenario holds for %s.yaml',
    async (name) => {
      const document = parse(readFileSync(shipped(`${name}.yaml`), 'utf8'));
      expect(await faultsOf('scenario', document)).toEqual([]);
    },
  );

  test('scenario names a key that there is not', async () => {
    const document = { apiVersion: 'flowfate/v1', kind: 'Scenario', spec: { rooter: {} } };
    expect(await faultsOf('scenario', document)).toContainEqual(
      expect.objectContaining({ instancePath: '/spec', params: { additionalProperty: 'rooter' } }),
    );
  });

  test('an unknown document is a usage error that lists those that there are', async () => {
    const { status, err } = await runCommand(['schema', 'cluster']);
    expect(status).toBe(2);
    expect(err).toContain('scenario, router, speaker, report, explain');
  });
});
