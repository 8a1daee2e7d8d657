/**
 * Where the control socket of a running router or speaker is: where its configuration says, or else in the user's
 * runtime folder under a name that follows from the configuration file, or from where it listens.
 */
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { ControlledProgram } from './control-socket.js';

/** sun_path of sockaddr_un, without its final zero */
export const MAX_SOCKET_PATH_BYTES = 107;

function folder(): string {
  return process.env.XDG_RUNTIME_DIR || tmpdir();
}

/** By the path of its configuration file. */
export function controlPathOfFile(program: ControlledProgram, configFile: string): string {
  const digest = createHash('sha256').update(resolve(configFile)).digest('hex').slice(0, 12);
  return join(folder(), `flowfate-${program}-${digest}.sock`);
}

/** By where it listens, like `127.0.0.1:1790`. */
export function controlPathOfListener(program: ControlledProgram, address: string): string {
  return join(folder(), `flowfate-${program}-${address.replace(/[^0-9A-Za-z.]+/g, '-')}.sock`);
}

/** Sockets that usual names say are there; whether anybody answers is another question. */
export function usualControlSockets(): { readonly path: string; readonly program: ControlledProgram }[] {
  let names: string[];
  try {
    names = readdirSync(folder());
  } catch {
    return [];
  }
  return names.sort().flatMap((name) => {
    const found = /^flowfate-(router|speaker)-.+\.sock$/.exec(name);
    return found === null ? [] : [{ path: join(folder(), name), program: found[1] as ControlledProgram }];
  });
}
