/** Captures of real daemons on a real kernel, with what each client knows. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Explanation } from '../../../src/explain/explain.js';
import { readConnections } from '../../../src/explain/read-connections.js';

const FOLDER = join(import.meta.dirname, '..', '..', 'golden', 'explain');

test('nginx, HAProxy, iptables and a killed server are told from each other, connection by connection', () => {
  const truth: [number, number, string][] = JSON.parse(readFileSync(join(FOLDER, 'daemons.json'), 'utf8'));
  const expected = new Map(truth.map(([client, server, finding]) => [`${client} ${server}`, finding]));
  const explanation = new Explanation(readConnections(join(FOLDER, 'daemons.pcap.gz')));
  const wrong: string[] = [];
  for (const row of explanation.rows) {
    const { finding } = explanation.diagnosisOf(row);
    const { clientPort, serverPort } = explanation.connectionAt(row);
    const key = `${clientPort} ${serverPort}`;
    if (finding !== (expected.get(key) ?? 'health-check')) wrong.push(`${key}: ${finding}`);
    expected.delete(key);
  }
  expect(wrong).toEqual([]);
  expect([...expected.keys()]).toEqual([]);
});
