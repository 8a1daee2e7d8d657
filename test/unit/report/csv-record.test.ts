import { describe, expect, test } from 'vitest';
import { writeCsv } from '../../../src/report/csv-record.js';
import { FLOW_FIELDS, VERDICT_FIELDS } from '../../../src/report/flow-record.js';
import { asText } from '../../../src/report/octet-writer.js';
import type { FlowVerdict } from '../../../src/verdict/verdict.js';
import { HOSTILE_POD, MADE_VERDICTS } from './made-result.js';

function csv(verdicts: readonly FlowVerdict[]): string {
  let text = '';
  writeCsv(
    VERDICT_FIELDS,
    verdicts.length,
    (row) => verdicts[row]!,
    asText((piece) => {
      text += piece;
    }),
  );
  return text;
}

/** Cells of RFC 4180, line by line; a reader independent of the writer. */
function cellsOf(text: string): string[][] {
  const lines: string[][] = [[]];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\n]*))([,\n])/gsu;
  for (const [, quoted, plain, end] of text.matchAll(cell)) {
    lines.at(-1)!.push(quoted === undefined ? plain! : quoted.replaceAll('""', '"'));
    if (end === '\n') lines.push([]);
  }
  return lines.slice(0, -1);
}

describe('writeCsv()', () => {
  const [head, ...lines] = cellsOf(csv(MADE_VERDICTS));
  const at = (line: number, column: string): string => lines[line]![head!.indexOf(column)]!;

  test('writes a head and a line a record, all equally long', () => {
    expect(lines).toHaveLength(MADE_VERDICTS.length);
    for (const line of lines) expect(line).toHaveLength(head!.length);
  });

  test('names the columns of a record within a record with a dot', () => {
    expect(head!.slice(0, Object.keys(FLOW_FIELDS).length + 2)).toEqual(
      Object.keys(FLOW_FIELDS).flatMap((key) =>
        key === 'packets' || key === 'bytes' ? [`${key}.out`, `${key}.in`] : [key],
      ),
    );
    expect(head).toContain('cause.reason');
    expect(head).toContain('source.application.sees');
  });

  test('gives the values that the record has, lists as JSON, nothing for null and absent', () => {
    for (const [line, verdict] of MADE_VERDICTS.entries()) {
      expect(at(line, 'src')).toBe(verdict.src);
      expect(Number(at(line, 'packets.out'))).toBe(verdict.packets.out);
      expect(at(line, 'cause.reason')).toBe(verdict.cause?.reason ?? '');
      expect(at(line, 'brokenAt')).toBe(verdict.brokenAt === null ? '' : String(verdict.brokenAt));
      expect(JSON.parse(at(line, 'path'))).toEqual(verdict.path);
      expect(JSON.parse(at(line, 'chain'))).toEqual(verdict.chain);
    }
  });

  test('quotes what would break a line or a cell', () => {
    const hostile = { ...MADE_VERDICTS[0]!, service: `a,"b"\n${HOSTILE_POD}` };
    const [names, cells] = cellsOf(csv([hostile]));
    expect(cells![names!.indexOf('service')]).toBe(hostile.service);
  });
});
