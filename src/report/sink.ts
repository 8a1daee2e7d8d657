/**
 * Where a writer's text goes. Writers push as they go and keep nothing, so that a report of a million flows
 * never stands in memory as one string.
 */
export type Sink = (text: string) => void;

/** Joins small pieces before they go on; call `flush` at the end. */
export class BufferedSink {
  private pending = '';

  constructor(
    private readonly target: Sink,
    private readonly capacityChars = 1 << 16,
  ) {}

  readonly write: Sink = (text) => {
    this.pending += text;
    if (this.pending.length >= this.capacityChars) this.flush();
  };

  flush(): void {
    if (this.pending === '') return;
    const text = this.pending;
    this.pending = '';
    this.target(text);
  }
}
