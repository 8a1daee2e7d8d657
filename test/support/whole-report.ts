/** Every report that a replay is printed as, so that two replays can be held against each other byte for byte. */
import type { ClusterModel } from '../../src/cluster/model.js';
import type { CaptureIndex } from '../../src/flow/flow-columns.js';
import { writeHtml } from '../../src/report/html.js';
import { writeJson } from '../../src/report/json.js';
import { writeNdjson } from '../../src/report/ndjson.js';
import { PLAIN } from '../../src/report/terminal.js';
import { writeText } from '../../src/report/text.js';
import { type ReplayOptions, replay } from '../../src/verdict/replay.js';
import type { ReplayResult } from '../../src/verdict/verdict.js';

const TEXT_VIEW = { palette: PLAIN, columns: 100, timing: null, utc: true };

const FORMS = {
  json: (result: ReplayResult, out: Gathered) => writeJson(result, out.octets),
  ndjson: (result: ReplayResult, out: Gathered) => writeNdjson(result, out.octets),
  html: (result: ReplayResult, out: Gathered) => writeHtml(result, out.text),
  text: (result: ReplayResult, out: Gathered) => writeText(result, out.text, TEXT_VIEW),
};

/** What a writer wrote, as one string. */
class Gathered {
  private readonly parts: string[] = [];
  readonly text = (text: string): void => void this.parts.push(text);
  readonly octets = (octets: Uint8Array): void => void this.parts.push(Buffer.from(octets).toString('utf8'));

  get whole(): string {
    return this.parts.join('');
  }
}

export type ReportForm = keyof typeof FORMS;

export function printed(result: ReplayResult, form: ReportForm): string {
  const out = new Gathered();
  FORMS[form](result, out);
  return out.whole;
}

/** The report's lines from either engine, where they differ: [columns, packets]; empty where none does. */
export function differences(
  index: CaptureIndex,
  model: ClusterModel,
  options: ReplayOptions = {},
  forms: readonly ReportForm[] = Object.keys(FORMS) as ReportForm[],
): [string, string][] {
  const columns = replay(index, model, { ...options, engine: 'columns' });
  const packets = replay(index, model, { ...options, engine: 'packets' });
  return forms.flatMap((form) => {
    const [a, b] = [printed(columns, form), printed(packets, form)];
    if (a === b) return [];
    const [left, right] = [a.split('\n'), b.split('\n')];
    const length = Math.max(left.length, right.length);
    return Array.from({ length }, (_, i): [string, string] => [left[i] ?? '', right[i] ?? ''])
      .filter(([x, y]) => x !== y)
      .slice(0, 5);
  });
}
