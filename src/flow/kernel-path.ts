/** Where the build put a WebAssembly kernel: dist/, whether a module of dist/src/*, of its bundle or of src/* asks. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FlowfateError } from '../errors.js';

/** `name` is like "flow-kernel.wasm". Throws a FlowfateError of code `input` where it is missing. */
export function kernelPath(name: string): string {
  const paths = [`../../${name}`, `../../dist/${name}`].map((relative) =>
    fileURLToPath(new URL(relative, import.meta.url)),
  );
  const path = paths.find((candidate) => existsSync(candidate));
  if (path === undefined) {
    throw new FlowfateError('input', `${paths[1]} is missing: run "npm run build" once`);
  }
  return path;
}
