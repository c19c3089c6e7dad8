import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { extname, join, posix } from 'node:path';
import { pathToFileURL } from 'node:url';

/** By extension; yours to extend. What is not here is answered as a download. */
const CONTENT_TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8', '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8', '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8', '.map': 'application/json; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8', '.svg': 'image/svg+xml; charset=utf-8',
  '.ico': 'image/x-icon', '.jpg': 'image/jpeg', '.png': 'image/png', '.webp': 'image/webp',
};
const CACHING = { 'Cache-Control': 'no-cache' };
const POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";
const COMMON = {
  ...CACHING,
  'Content-Security-Policy': POLICY,
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

/**
 * Reads the files of a folder, not of its subfolders, into a map from file name, encoded as in a
 * URL, to what answers a GET or HEAD of it: a name is looked up there and never reaches the disk.
 * Throws what `node:fs` throws if the folder or a file cannot be read.
 */
export function loadAssets(folder: string): Map<string, RequestListener> {
  const assets = new Map<string, RequestListener>();
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(folder, entry.name);
    const body = readFileSync(path);
    const type = CONTENT_TYPES[extname(path).toLowerCase()] ?? 'application/octet-stream';
    const ETag = `"${createHash('sha256').update(body).digest('base64url')}"`;
    const headers = { 'Content-Type': type, 'Content-Length': body.length, ETag, ...COMMON };
    assets.set(posix.basename(pathToFileURL(path).pathname), (request, response) => {
      // Who has it is told so (RFC 9110 section 13.1.2).
      const tags = request.headers['if-none-match']?.trim() ?? '';
      if (tags === '*' || tags.includes(ETag)) response.writeHead(304, { ETag, ...CACHING }).end();
      else response.writeHead(200, headers).end(body);
    });
  }
  return assets;
}
