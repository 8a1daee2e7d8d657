/**
 * The page as one document, dist/live-page.html: script and style stand in it, and its policy names them by their
 * hashes, so that nothing else runs and nothing is asked of anybody but this server.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FlowfateError } from '../../errors.js';

export interface PageAsset {
  readonly html: string;
  readonly contentSecurityPolicy: string;
}

/** Whether this file runs bundled in dist/src/bin, from dist/src/live/web, or from src/live/web. */
export function loadPage(): PageAsset {
  const paths = ['../../live-page.html', '../../../live-page.html', '../../../dist/live-page.html'].map(
    (relative) => fileURLToPath(new URL(relative, import.meta.url)),
  );
  const path = paths.find((candidate) => existsSync(candidate));
  if (path === undefined)
    throw new FlowfateError('input', `${paths[1]} is missing: run "npm run build" once`);
  return pageAsset(readFileSync(path, 'utf8'));
}

export function pageAsset(html: string): PageAsset {
  const hashes = (element: 'script' | 'style'): string =>
    [...html.matchAll(new RegExp(`<${element}[^>]*>([\\s\\S]*?)</${element}>`, 'g'))]
      .map(([, text]) => `'sha256-${createHash('sha256').update(text!).digest('base64')}'`)
      .join(' ');
  const contentSecurityPolicy = [
    "default-src 'none'",
    `script-src ${hashes('script')}`,
    `style-src ${hashes('style')}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  return { html, contentSecurityPolicy };
}
