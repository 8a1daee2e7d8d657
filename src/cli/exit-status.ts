/** Exit statuses of the command line, and which error leads to which. */
import type { ErrorCode } from '../errors.js';

export const ExitStatus = {
  done: 0,
  /** the run finished and a stated budget was exceeded */
  budgetExceeded: 1,
  /** wrong usage or configuration */
  usage: 2,
  /** unreadable or damaged input */
  input: 3,
  /** the network or a peer failed */
  network: 4,
  /** a budget was stated, and nothing can be concluded that could be held against it */
  inconclusive: 5,
  /** a fault of flowfate's own, EX_SOFTWARE of sysexits.h */
  bug: 70,
} as const;
export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus];

export const STATUS_OF_ERROR: Readonly<Record<ErrorCode, ExitStatus>> = {
  usage: ExitStatus.usage,
  config: ExitStatus.usage,
  input: ExitStatus.input,
  network: ExitStatus.network,
};
