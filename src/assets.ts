import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { extname, join, posix } from 'node:path';
import { pathToFileURL } from 'node:url';

/** A file held in memory with the headers it is answered with. */
export interface Asset {
  body: Buffer;
  headers: { ETag: string } & OutgoingHttpHeaders;
}

/** By extension; yours to extend. What is not here is answered as a download. */
const CONTENT_TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.webp': 'image/webp',
};
const CACHING = { 'Cache-Control': 'no-cache' };
const SECURITY = {
  'Content-Security-Policy': "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

/**
 * Reads the files of a folder, not of its subfolders, into a map from file name, encoded as in a
 * URL, to asset: what a client asks for is looked up there and never reaches the disk.
 * Throws what `node:fs` throws if the folder or a file cannot be read.
 */
export function loadAssets(folder: string): Map<string, Asset> {
  const assets = new Map<string, Asset>();
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(folder, entry.name);
    const body = readFileSync(path);
    const type = CONTENT_TYPES[extname(path).toLowerCase()] ?? 'application/octet-stream';
    const ETag = `"${createHash('sha256').update(body).digest('base64url')}"`;
    const headers = { 'Content-Type': type, 'Content-Length': body.length, ETag, ...CACHING, ...SECURITY };
    assets.set(posix.basename(pathToFileURL(path).pathname), { body, headers });
  }
  return assets;
}

/** Answers a GET or HEAD with the asset, or with 304 if the client has it (RFC 9110 section 13.1.2). */
export function sendAsset({ body, headers }: Asset, request: IncomingMessage, response: ServerResponse): void {
  const { ETag } = headers;
  const tags = request.headers['if-none-match']?.trim() ?? '';
  if (tags === '*' || tags.includes(ETag)) response.writeHead(304, { ETag, ...CACHING }).end();
  else response.writeHead(200, headers).end(body);
}
