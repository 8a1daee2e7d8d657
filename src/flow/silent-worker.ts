/**
 * Options of a worker that prints nothing. Without them Node opens `process.stdout` for it, which makes a pipe there
 * non-blocking: every write to a slow reader then fails and has to be tried again.
 */
export const SILENT_WORKER = { stdout: true, stderr: true } as const;
