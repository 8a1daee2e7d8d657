import { describe, expect, test } from 'vitest';
import { writeHtml } from '../../../src/report/html.js';
import { escapeHtml, jsonForScript } from '../../../src/report/html-escape.js';
import { MADE_VERDICTS, madeResult } from './made-result.js';

function page(result = madeResult()): string {
  let all = '';
  writeHtml(result, (piece) => {
    all += piece;
  });
  return all;
}

describe('writeHtml()', () => {
  const html = page();

  test('lets no hostile name become markup', () => {
    expect(html).not.toContain('<script>alert(1)');
    expect(html).not.toContain('</script><b>');
    expect(html.match(/<script/g)).toHaveLength(2);
    expect(html.match(/<\/script>/g)).toHaveLength(2);
  });

  test('asks for nothing from outside, and forbids it', () => {
    expect(html).not.toMatch(/(?:src|href)=|url\(|@import|https?:/);
    expect(html).toContain(`content="default-src 'none';`);
  });

  test('carries every flow as data that a JSON parser reads', () => {
    const data = /<script id="flows" type="application\/json">(.*?)<\/script>/s.exec(html)?.[1] ?? '';
    const flows = JSON.parse(data) as { id: number; fate: string; chain: string[] }[];
    expect(flows.map(({ id }) => id).sort((a, b) => a - b)).toEqual(MADE_VERDICTS.map(({ id }) => id));
    expect(flows.find(({ id }) => id === 6)?.chain).toHaveLength(3);
  });

  test('puts broken flows first and says so where there are more than it shows', () => {
    const many = Array.from({ length: 5000 }, (_, id) => ({ ...MADE_VERDICTS[id === 4999 ? 6 : 0]!, id }));
    const cut = page(madeResult(many));
    expect(cut).toContain('4,000 of 5,000 flows, broken ones first');
    expect(cut).toContain('{"id":4999,');
  });

  test('carries a script that is JavaScript', () => {
    const script = /<script>(.*?)<\/script>/s.exec(html)?.[1] ?? '';
    expect(() => new Function(script)).not.toThrow();
  });

  test('says that nothing broke without drawing a timeline', () => {
    const fine = page(madeResult(MADE_VERDICTS.slice(0, 6)));
    expect(fine).toContain('No flow broke');
    expect(fine).not.toContain('<svg');
  });
});

describe('escapeHtml()', () => {
  test('spells out what would act in markup, attributes or terminals', () => {
    expect(escapeHtml(`<a b="c" d='e'>&\x1b\u202e`)).toBe(
      '&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;\\x1b\\x202e',
    );
  });
});

describe('jsonForScript()', () => {
  test('keeps the value and holds nothing that ends a script', () => {
    const hostile = { a: '</script><!--', b: ['\u2028'] };
    expect(jsonForScript(hostile)).not.toMatch(/[<>\u2028]/);
    expect(JSON.parse(jsonForScript(hostile))).toEqual(hostile);
  });
});
