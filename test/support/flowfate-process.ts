/** Our own program as a process in a namespace: `flowfate router`, `flowfate speaker`, from the build in dist. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host, HostProcess } from './netns.js';
import { Hopeless, until } from './wait.js';

export const flowfateProgram = join(import.meta.dirname, '..', '..', 'dist', 'src', 'bin', 'flowfate.js');

/** As a sentence, what is missing to run the built program; null if nothing. */
export const lacksBuild: string | null = existsSync(flowfateProgram)
  ? null
  : 'needs the build: node scripts/build.mjs';

/**
 * Starts `flowfate <command> --config <file with this text>` inside the host and waits for its line `ready`.
 * Fails with what it wrote where it ends before.
 */
export async function startFlowfate(
  host: Host,
  command: 'router' | 'speaker',
  configText: string,
  args: readonly string[] = [],
): Promise<HostProcess> {
  const file = join(host.dir, `${host.name}-${command}.yaml`);
  writeFileSync(file, configText);
  const started = host.start(process.execPath, [flowfateProgram, command, '--config', file, ...args]);
  await until(
    `flowfate ${command} to be ready`,
    () => {
      if (/^.*\bready\b/m.test(started.log())) return true;
      if (!started.running) throw new Hopeless(`it ended: ${started.log().slice(-1000)}`);
      return false;
    },
    { timeoutMs: 20_000 },
  );
  return started;
}

/** Asks the program's HTTP API from inside the host's namespace. */
export async function askApi<T>(host: Host, path: string, address = '127.0.0.1:8179'): Promise<T> {
  const script = `const r = await fetch(${JSON.stringify(`http://${address}${path}`)}); process.stdout.write(await r.text());`;
  return JSON.parse(await host.exec(process.execPath, '--input-type=module', '-e', script)) as T;
}
