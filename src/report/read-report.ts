/**
 * A report of `replay`, read again: the JSON object or its records line by line, as a run that can be compared. What
 * is not such a report is refused with what it is instead, where that can be told.
 */
import { FlowfateError } from '../errors.js';
import { FATES } from '../verdict/fates.js';
import type { CaptureRecord, EventRecord, Fate } from '../verdict/verdict.js';
import type { Run, RunFlow, RunSummary } from '../what-if/changes.js';
import { REPORT_SCHEMA } from './records.js';

export interface ReadReport {
  readonly capture: CaptureRecord;
  readonly run: Run;
}

interface Parts {
  readonly schema: unknown;
  readonly capture: unknown;
  readonly events: unknown;
  readonly flows: unknown;
  readonly summary: unknown;
}

type Fields = Readonly<Record<string, unknown>>;

/** `name` is the file's. Throws an input error with a sentence for whatever is no report of a replay. */
export function readReport(name: string, text: string): ReadReport {
  const parts = wholeReport(name, text);
  const { capture, events, flows, summary } = parts;
  if (parts.schema !== REPORT_SCHEMA) {
    throw refused(
      name,
      `its schema is ${JSON.stringify(parts.schema) ?? 'not named'}, not "${REPORT_SCHEMA}"`,
    );
  }
  if (!isFields(capture) || !isFields(summary) || !Array.isArray(events) || !Array.isArray(flows)) {
    throw refused(name, 'capture, events, flows or summary is missing from it');
  }
  const { t0 } = capture;
  if (typeof t0 !== 'number' || typeof summary.judged !== 'number' || !isFields(summary.scenario)) {
    throw refused(name, 'its records lack t0, judged or scenario: an older flowfate wrote it');
  }
  const known = new Set<unknown>(FATES);
  const bad = flows.findIndex(
    (flow) => !isFields(flow) || !known.has(flow.fate) || !Array.isArray(flow.path),
  );
  if (bad >= 0) throw refused(name, `flow ${bad} of it has no fate or no path`);
  const rows = flows as readonly RunFlow[];
  return {
    capture: capture as unknown as CaptureRecord,
    run: {
      name,
      t0,
      events: events as readonly EventRecord[],
      summary: summary as unknown as RunSummary,
      flowCount: rows.length,
      fateOf: (row): Fate => rows[row]!.fate,
      flow: (row) => rows[row]!,
    },
  };
}

/** Whether a text is meant as a report, and not as a scenario: JSON with flows and a summary, or records a line. */
export function isReport(text: string): boolean {
  const head = text.slice(0, 1 << 16);
  if (!head.trimStart().startsWith('{')) return false;
  return head.includes(`"${REPORT_SCHEMA}"`) || (text.includes('"flows"') && text.includes('"byFate"'));
}

function wholeReport(name: string, text: string): Parts {
  const end = text.indexOf('\n');
  const first = end < 0 ? text : text.slice(0, end);
  if (/^\s*\{\s*"record"/.test(first)) return fromLines(name, text);
  const whole = parsed(name, text, null);
  if (!isFields(whole)) throw refused(name, 'it is no JSON object');
  if (whole.kind !== undefined) throw refused(name, `it is a ${String(whole.kind)}`);
  if (whole.bursts !== undefined) throw refused(name, 'explain wrote it');
  return whole as unknown as Parts;
}

function fromLines(name: string, text: string): Parts {
  const events: Fields[] = [];
  const flows: Fields[] = [];
  let capture: Fields | undefined;
  let summary: Fields | undefined;
  let line = 0;
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf('\n', at);
    const piece = text.slice(at, end < 0 ? text.length : end);
    at = end < 0 ? text.length : end + 1;
    line++;
    if (piece.trim() === '') continue;
    const fields = parsed(name, piece, line);
    if (!isFields(fields)) throw refused(name, `line ${line} is no record`);
    if (fields.record === 'event') events.push(fields);
    else if (fields.record === 'flow') flows.push(fields);
    else if (fields.record === 'capture') capture = fields;
    else if (fields.record === 'summary') summary = fields;
    else throw refused(name, `line ${line} is a record of another report (${String(fields.record)})`);
  }
  if (summary === undefined) throw refused(name, 'it ends before its summary');
  return { schema: capture?.schema, capture, events, flows, summary };
}

function parsed(name: string, text: string, line: number | null): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const where = line === null ? '' : `line ${line}: `;
    throw refused(name, `${where}${(error as Error).message}`);
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refused(file: string, why: string): FlowfateError {
  return new FlowfateError(
    'input',
    `${file} is no report of a replay: ${why}; write one with replay --format json or ndjson`,
    { file },
  );
}
