/**
 * What is wrong with a scenario, gathered so that one look at it shows up to ten faults at once. The first in
 * the order of the files becomes the sentence of the error.
 */
import { type ErrorPosition, FlowfateError } from '../../errors.js';

/** More than this many are counted, not kept. */
const KEPT = 10;

export interface Problem {
  readonly sentence: string;
  readonly position: ErrorPosition;
}

/** A wrong scenario. `problems` holds up to ten faults, the first of which is the message. */
export class ScenarioError extends FlowfateError {
  constructor(
    readonly problems: readonly Problem[],
    /** how many there were in all */
    readonly count: number,
  ) {
    const first = problems[0]!;
    super(
      'config',
      `${placeText(first.position)}${first.sentence}${others(problems, count)}`,
      first.position,
    );
  }
}

export class Problems {
  private readonly found: Problem[] = [];

  get count(): number {
    return this.found.length;
  }

  add(position: ErrorPosition, sentence: string): void {
    this.found.push({ position, sentence });
  }

  addAll(others: Problems): void {
    this.found.push(...others.found);
  }

  /** The first of them as a sentence with its place, or null. */
  firstSentence(): string | null {
    const first = this.found[0];
    return first === undefined ? null : `${placeText(first.position)}${first.sentence}`;
  }

  /** Throws a {@link ScenarioError} where anything was added. */
  throwIfAny(): void {
    if (this.found.length === 0) return;
    const files = [...new Set(this.found.map((problem) => problem.position.file))];
    const sorted = this.found
      .map((problem, order) => ({ problem, order, file: files.indexOf(problem.position.file) }))
      .sort((a, b) => a.file - b.file || lineOf(a.problem) - lineOf(b.problem) || a.order - b.order)
      .map(({ problem }) => problem);
    throw new ScenarioError(sorted.slice(0, KEPT), sorted.length);
  }
}

/** `file:line:column: `, as far as it is known. */
export function placeText({ file, line, column }: ErrorPosition): string {
  const parts = [file, line, column].filter((part) => part !== undefined);
  return parts.length === 0 ? '' : `${parts.join(':')}: `;
}

/** What has no line concerns the whole: it comes after what can be pointed at. */
function lineOf({ position }: Problem): number {
  return position.line ?? Number.MAX_SAFE_INTEGER;
}

function others(problems: readonly Problem[], count: number): string {
  if (count === 1) return '';
  const lines = problems.slice(1).flatMap(({ position }) => position.line ?? []);
  const more = `${count - 1} more problem${count === 2 ? '' : 's'}`;
  if (lines.length === 0) return ` (and ${more})`;
  return ` (and ${more}, line${lines.length === 1 ? '' : 's'} ${[...new Set(lines)].join(', ')})`;
}
