import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, extname, join } from 'node:path';

export const PUBLIC = join(__dirname, '..', 'public');
/** By extension; add your own. A browser downloads files of other types. */
const TYPES: Record<string, string> = {
  '.css': 'text/css', '.html': 'text/html', '.ico': 'image/x-icon', '.jpg': 'image/jpeg',
  '.js': 'text/javascript', '.json': 'application/json', '.mjs': 'text/javascript',
  '.png': 'image/png', '.svg': 'image/svg+xml', '.txt': 'text/plain', '.webp': 'image/webp',
};
const POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/** Reads the files of a folder, without `.x` and `x~`, by name. Throws what `node:fs` throws. */
export function loadAssets(folder: string) {
  const paths = readdirSync(folder).filter((name) => !/^\.|~$/.test(name))
    .map((name) => join(folder, name)).filter((path) => statSync(path).isFile());
  return new Map(paths.map((path) => {
    const body = readFileSync(path);
    const type = TYPES[extname(path).toLowerCase()] ?? 'application/octet-stream';
    const headers = {
      'Content-Type': `${type}; charset=utf-8`,
      ETag: `"${createHash('sha256').update(body).digest('base64url')}"`,
      'Cache-Control': 'no-cache',
      'Content-Security-Policy': POLICY,
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
    };
    return [basename(path), { headers, body }];
  }));
}
