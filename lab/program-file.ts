/** The lab's own programs that run inside namespaces (client, pod), as built: beside this file, or in dist from a test. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export function programFile(name: 'client' | 'pod'): string {
  const beside = join(import.meta.dirname, `${name}.js`);
  return existsSync(beside) ? beside : join(import.meta.dirname, '..', 'dist', 'lab', `${name}.js`);
}
