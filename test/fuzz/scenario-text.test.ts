import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { parseEventText } from '../../src/cluster/scenario/event-text.js';
import { loadScenario } from '../../src/cluster/scenario/load-scenario.js';
import { FlowfateError } from '../../src/errors.js';

const ROOT = join(import.meta.dirname, '..', '..');
const TEXTS = [
  'captures/cluster-withdraw.yaml',
  'test/golden/scenario-kubernetes/objects.yaml',
  'test/golden/scenario-kubernetes/metallb.yaml',
  'test/golden/scenario-kubernetes/calico.yaml',
  'test/golden/scenario-kubernetes/expected.yaml',
].map((file) => readFileSync(join(ROOT, file), 'utf8'));

/** What stands where a value stood: the odd things that YAML can hold. */
const ODD = [
  '',
  '~',
  '[]',
  '{}',
  '-1',
  '1e400',
  '.nan',
  '0x1f',
  '"',
  '!!binary x',
  '&a *a',
  '<<: 1',
  '? x',
  '|',
  '---',
  '__proto__: 1',
  '\t',
  '\u2028',
  '[[[[',
  '2026-01-01',
  'constructor',
  '4294967296',
];

const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.nat(40),
  text: fc.oneof(fc.constantFrom(...ODD), fc.string({ maxLength: 8 })),
});

/** Only errors that say what to do may come out. */
function mustNotCrash(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof FlowfateError)) throw error;
    if (/[\n\r]/.test(error.message.replace(/"(?:[^"\\]|\\.)*"/g, '')))
      throw new Error(`several lines: ${error.message}`);
  }
}

describe('text that is no scenario', () => {
  test('ends in a model or in one sentence, however it is mangled', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...TEXTS),
        fc.array(edit, { minLength: 1, maxLength: 4 }),
        (whole, edits) => {
          const text = edits.reduce((before, { at, length, text: put }) => {
            const from = Math.floor(at * before.length);
            return before.slice(0, from) + put + before.slice(from + length);
          }, whole);
          mustNotCrash(() => loadScenario([{ name: 'f.yaml', text }]));
        },
      ),
      { numRuns: 400 },
    );
  });

  test('ends in an event or in one sentence', () => {
    const word = fc.oneof(
      fc.constantFrom(
        '5s',
        'withdraw',
        'ecmp',
        'route',
        'scale',
        'drain',
        'n1',
        'a=b',
        '=',
        'for=',
        ',',
        '*',
        '10.0.0.0/8',
        '__proto__=1',
      ),
      fc.string({ maxLength: 6 }),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), (words) =>
        mustNotCrash(() => void parseEventText(words.join(' '))),
      ),
      { numRuns: 1000 },
    );
  });
});
