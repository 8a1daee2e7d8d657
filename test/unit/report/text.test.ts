import { describe, expect, test } from 'vitest';
import { ANSI, PLAIN, widthOf } from '../../../src/report/terminal.js';
import { writeText } from '../../../src/report/text.js';
import { MADE_VERDICTS, madeResult } from './made-result.js';

function text(columns: number, palette = PLAIN, result = madeResult()): string {
  let all = '';
  writeText(
    result,
    (piece) => {
      all += piece;
    },
    { palette, columns },
  );
  return all;
}

describe('writeText()', () => {
  test('says first how many flows broke', () => {
    expect(text(80)).toContain('4 of 11 judged flows broke (36.4 %).');
  });

  test('says that no flow broke where none did', () => {
    const fine = madeResult(MADE_VERDICTS.slice(0, 6));
    const shown = text(80, PLAIN, fine);
    expect(shown).toContain('No flow broke, of 6.');
    expect(shown).not.toContain('Examples');
    expect(shown).not.toContain('Why');
  });

  test('says that a capture without flows holds none', () => {
    expect(text(80, PLAIN, madeResult([]))).toContain('Inconclusive: the capture holds no flow.');
  });

  test('keeps every line within 80 columns', () => {
    const tooWide = text(80)
      .split('\n')
      .filter((line) => widthOf(line) > 80);
    expect(tooWide).toEqual([]);
  });

  test('writes no control character of a file or pod name', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    expect(text(80)).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f]/);
    expect(text(80)).toContain('\\x1b[2J.pcap');
  });

  test('differs with colours only by the colours', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    expect(text(80, ANSI).replace(/\x1b\[\d+m/g, '')).toBe(text(80));
  });

  test('shows an example for each way in which flows broke, with its causal chain', () => {
    const shown = text(100);
    expect(shown).toContain('reset at 5.312 s');
    expect(shown).toContain('timeout (FIN unanswered) at 6.100 s');
    expect(shown).toContain('n3 calls the FIN INVALID and kube-proxy drops it.');
  });

  test('says where client addresses were lost and what brings them back', () => {
    const shown = text(120);
    expect(shown).toContain('preserved for 8 flows');
    expect(shown).toContain('lost for 3 flows');
    expect(shown).toContain(
      'by masquerade at node n2; endpoints see 10.0.0.2; recoverable by proxy-protocol',
    );
  });

  test('prints the notes of the result', () => {
    expect(text(80)).toContain('The VIP 203.0.113.99 never appears in the capture.');
  });
});
