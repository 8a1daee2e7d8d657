/** Material that lies beside the project and is never part of it; tests over it skip where it is absent. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..', '..', 'shared');

export const hasShared: boolean = existsSync(ROOT);

export function sharedPath(...parts: string[]): string {
  return join(ROOT, ...parts);
}
