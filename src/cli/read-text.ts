/** A whole text file for a command; `-` is standard input. */
import { readFileSync } from 'node:fs';
import type { ScenarioInput } from '../cluster/yaml/yaml-source.js';
import { FlowfateError } from '../errors.js';
import type { Io } from './io.js';
import { readLines } from './read-lines.js';

export function readInput(file: string, io: Io): ScenarioInput {
  if (file === '-') return { name: 'standard input', text: [...readLines('-', io)].join('\n') };
  try {
    return { name: file, text: readFileSync(file, 'utf8') };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    const why =
      code === 'ENOENT'
        ? 'does not exist: check the path'
        : code === 'EISDIR'
          ? 'is a directory: name a file in it'
          : `cannot be read (${code})`;
    throw new FlowfateError('config', `${file} ${why}`, { file });
  }
}
