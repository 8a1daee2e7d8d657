/** The options of a live router's traffic. */
import type { Command } from 'commander';
import { FlowfateError } from '../errors.js';

export interface LiveOptions {
  readonly capture?: string;
  readonly loop?: true;
  readonly speed?: number;
  readonly scenario?: readonly string[];
}

const FASTEST = 1000;

export function addLiveOptions(command: Command): Command {
  const gather = (value: string, all: readonly string[] = []): readonly string[] => [...all, value];
  return command
    .option(
      '--capture <file>',
      'play the traffic of a capture through the router, with its routes as they are',
    )
    .option('--loop', 'play it again and again, every time from other client ports')
    .option('--speed <n>', 'play it so many times as fast as it was', parseSpeed)
    .option(
      '--scenario <file>',
      'services, policies and endpoints behind the next hops (the timeline does not act); may be repeated',
      gather,
    );
}

function parseSpeed(text: string): number {
  const speed = Number(text);
  if (text.trim() !== '' && speed > 0 && speed <= FASTEST) return speed;
  throw new FlowfateError(
    'usage',
    `--speed ${text}: expected a number above 0 and up to ${FASTEST}, like 10`,
  );
}
