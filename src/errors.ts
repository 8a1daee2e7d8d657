/**
 * What the world does to us: unreadable files, wrong configuration, lost peers.
 *
 * Every error a user can cause derives from {@link FlowfateError} and carries a stable `code`, so that the
 * command line maps codes to exit statuses in one table. The message is one sentence that says what is wrong
 * and what to do. Misuse of a function by a programmer is a `TypeError` or `RangeError` instead.
 */

export type ErrorCode =
  /** wrong command line */
  | 'usage'
  /** wrong scenario, router or speaker configuration */
  | 'config'
  /** unreadable or damaged input file */
  | 'input'
  /** the network or a peer failed */
  | 'network';

export interface ErrorPosition {
  readonly file?: string | undefined;
  /** 1-based */
  readonly line?: number | undefined;
  /** 1-based */
  readonly column?: number | undefined;
  /** byte offset into the (uncompressed) file */
  readonly offset?: number | undefined;
}

export class FlowfateError extends Error {
  override readonly name = 'FlowfateError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly position: ErrorPosition = {},
  ) {
    super(message);
  }
}
