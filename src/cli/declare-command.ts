/** What the module of a command offers. */
import type { Command } from 'commander';
import type { ExitStatus } from './exit-status.js';
import type { Io } from './io.js';

/** Adds arguments, options, examples and the action to `command`. The action hands its exit status to `done`. */
export type DeclareCommand = (command: Command, io: Io, done: (status: ExitStatus) => void) => void;

export interface CommandModule {
  readonly declare: DeclareCommand;
  /** options that may be given several times, or several values in a row */
  readonly repeatable?: readonly string[];
}
