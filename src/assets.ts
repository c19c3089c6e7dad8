import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { extname, join } from 'node:path';

/** A file held in memory with the headers it is answered with. */
export interface Asset {
  body: Buffer;
  etag: string;
  headers: OutgoingHttpHeaders;
}

const CONTENT_TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml; charset=utf-8',
  '.woff2': 'font/woff2',
};

/**
 * Reads the files of a folder, not of its subfolders, into a map from file name to asset: what a
 * client asks for is looked up there and never reaches the disk.
 * Throws what `node:fs` throws if the folder or a file cannot be read.
 */
export function loadAssets(folder: string): Map<string, Asset> {
  const assets = new Map<string, Asset>();
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const body = readFileSync(join(folder, entry.name));
    const etag = `"${createHash('sha256').update(body).digest('base64url')}"`;
    assets.set(entry.name, {
      body,
      etag,
      headers: {
        'Content-Type': CONTENT_TYPES[extname(entry.name)] ?? 'application/octet-stream',
        'Content-Length': body.length,
        ETag: etag,
        'Cache-Control': 'no-cache',
        'Content-Security-Policy':
          "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
        'Referrer-Policy': 'no-referrer',
        'X-Content-Type-Options': 'nosniff',
      },
    });
  }
  return assets;
}

/** Answers a GET or HEAD with the asset, or with 304 if the client has it (RFC 9110 section 13.1.2). */
export function sendAsset(asset: Asset, request: IncomingMessage, response: ServerResponse): void {
  const tags = request.headers['if-none-match'];
  if (tags !== undefined && (tags.trim() === '*' || tags.includes(asset.etag))) {
    const { 'Content-Type': _type, 'Content-Length': _length, ...headers } = asset.headers;
    response.writeHead(304, headers).end();
  } else {
    response.writeHead(200, asset.headers).end(asset.body);
  }
}
