import { join } from 'node:path';
import { expect, test } from 'vitest';
import { agrees, readObserved, traceAll } from '../../support/observed-rules.js';

const sets = readObserved(join(import.meta.dirname, '..', '..', 'golden', 'rule-sets', 'observed.jsonl.gz'));

sets.forEach((set, at) => {
  test(`the walk says of every packet what the kernel did: ${set.from} ${at}, ${set.kind}`, () => {
    const traces = traceAll(set);
    const wrong = set.packets.filter((packet, i) => {
      const { outcomes } = traces[i]!;
      if (packet.shares === undefined)
        return outcomes.length !== 1 || !agrees(packet, outcomes[0]!, set.from === 'draws');
      // 400 packets were counted: each share within 4 standard deviations of its probability
      return packet.shares.some((share) => {
        const p = outcomes.reduce((so, each) => so + (agrees(share, each, true) ? each.probability : 0), 0);
        return Math.abs(p - share.share) > 4 * Math.sqrt((p * (1 - p)) / 400) + 0.005;
      });
    });
    expect(wrong).toEqual([]);
  });
});
