/** When flows broke, as bars over the time of the capture with a line for every event: inline SVG. */

import { FATES } from '../verdict/fates.js';
import type { EventRecord, Fate } from '../verdict/verdict.js';
import { duration } from './figures.js';
import { escapeHtml } from './html-escape.js';

const WIDTH = 1000;
const HEIGHT = 190;
const LEFT = 40;
const TOP = 34;
const FLOOR = 160;
const BINS = 120;
/** what a character of a label takes, a little more than its mean */
const LABEL_CHARACTER = 6.6;

/** Counts breaks per moment and fate; {@link svg} draws them. */
export class BreakTimeline {
  private readonly bins = new Map<Fate, Float64Array>();

  constructor(
    private readonly fromS: number,
    private readonly toS: number,
  ) {}

  add(fate: Fate, atS: number): void {
    let bins = this.bins.get(fate);
    if (bins === undefined) {
      bins = new Float64Array(BINS);
      this.bins.set(fate, bins);
    }
    bins[Math.min(BINS - 1, Math.max(0, Math.floor(this.share(atS) * BINS)))]!++;
  }

  svg(events: readonly EventRecord[]): string {
    const totals = new Float64Array(BINS);
    for (const bins of this.bins.values()) for (let i = 0; i < BINS; i++) totals[i]! += bins[i]!;
    const most = Math.max(...totals);
    const parts = [
      `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="broken flows over time">`,
      `<line class="axis" x1="${LEFT}" y1="${FLOOR}" x2="${WIDTH}" y2="${FLOOR}"/>`,
      ...this.bars(most),
      `<text x="${LEFT - 6}" y="${TOP + 10}" text-anchor="end">${most > 0 ? most : ''}</text>`,
      ...[0, 0.25, 0.5, 0.75, 1].map((share) => this.tick(share)),
      ...this.events(events),
      '</svg>',
    ];
    return parts.join('\n');
  }

  private bars(most: number): string[] {
    const parts: string[] = [];
    const step = (WIDTH - LEFT) / BINS;
    const tops = new Float64Array(BINS).fill(FLOOR);
    for (const fate of FATES) {
      this.bins.get(fate)?.forEach((n, i) => {
        if (n === 0) return;
        const height = (n / most) * (FLOOR - TOP);
        tops[i]! -= height;
        const x = (LEFT + i * step + 0.5).toFixed(1);
        parts.push(
          `<rect x="${x}" y="${tops[i]!.toFixed(1)}" width="${(step - 1).toFixed(1)}" height="${height.toFixed(1)}" fill="var(--${fate})"><title>${n} ${fate}</title></rect>`,
        );
      });
    }
    return parts;
  }

  private tick(share: number): string {
    const at = this.fromS + share * (this.toS - this.fromS);
    const anchor = share === 0 ? 'start' : share === 1 ? 'end' : 'middle';
    const label = at < 0 ? `−${duration(-at)}` : duration(at);
    return `<text x="${this.x(at).toFixed(1)}" y="${FLOOR + 18}" text-anchor="${anchor}">${label}</text>`;
  }

  private events(events: readonly EventRecord[]): string[] {
    const parts: string[] = [];
    let freeFrom = Number.NEGATIVE_INFINITY;
    for (const event of events) {
      const x = this.x(event.at);
      parts.push(
        `<line class="event" x1="${x.toFixed(1)}" y1="${TOP - 12}" x2="${x.toFixed(1)}" y2="${FLOOR}"><title>${escapeHtml(event.detail)}</title></line>`,
      );
      const label = `${event.id} ${event.kind}`;
      const columns = label.length * LABEL_CHARACTER;
      if (x < freeFrom || x + columns > WIDTH) continue;
      freeFrom = x + columns;
      parts.push(`<text x="${x.toFixed(1)}" y="${TOP - 18}">${escapeHtml(label)}</text>`);
    }
    return parts;
  }

  private share(atS: number): number {
    return this.toS > this.fromS ? (atS - this.fromS) / (this.toS - this.fromS) : 0;
  }

  private x(atS: number): number {
    return LEFT + Math.min(1, Math.max(0, this.share(atS))) * (WIDTH - LEFT);
  }
}
