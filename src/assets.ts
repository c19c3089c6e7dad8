import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join, posix } from 'node:path';
import { pathToFileURL } from 'node:url';

/** By extension; add your own. A browser downloads files of other types. */
const CONTENT_TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8', '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8', '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8', '.map': 'application/json; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8', '.svg': 'image/svg+xml; charset=utf-8',
  '.ico': 'image/x-icon', '.jpg': 'image/jpeg', '.png': 'image/png', '.webp': 'image/webp',
};
const POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/**
 * Reads a folder into a map from file name, encoded as in a URL, to headers and body. So no path of
 * a client reaches the disk. Follows links; leaves out subfolders, dot files and backups such as
 * `style.css~`. Throws what `node:fs` throws if the folder, a file or a link is unreadable.
 */
export function loadAssets(folder: string) {
  const paths = readdirSync(folder).filter((name) => !/^\.|~$/.test(name))
    .map((name) => join(folder, name)).filter((path) => statSync(path).isFile());
  return new Map(paths.map((path) => {
    const body = readFileSync(path);
    const headers = {
      'Content-Type': CONTENT_TYPES[extname(path).toLowerCase()] ?? 'application/octet-stream',
      'Content-Length': body.length,
      ETag: `"${createHash('sha256').update(body).digest('base64url')}"`,
      'Cache-Control': 'no-cache',
      'Content-Security-Policy': POLICY,
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
    };
    return [posix.basename(pathToFileURL(path).pathname), { headers, body }];
  }));
}
