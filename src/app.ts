import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { unescape } from 'node:querystring'; // It does not throw.
import type { Duplex } from 'node:stream';
import { inspect } from 'node:util';
import { loadAssets } from './assets.js';
import { Reader, type Stream } from './reader.js';
import { hasBody, send, sendRaw, textResponse, type Response } from './response.js';

/** The script that IIS runs. All URLs but `/` contain it, because IIS passes only those on. */
export const SCRIPT = 'server-faye.js';
const MOUNT = new RegExp(`^.*/${SCRIPT.replace('.', '\\.')}(?=/|$)`, 'i'); // IIS ignores case.
const KEY = /^[A-Za-z0-9+/]{22}==$/; // Base64 of 16 bytes: others get 426 (RFC 6455 section 4.1).
const ignore = (): void => {}; // Without a listener, the reset of a socket ends the process.
const NOT_FOUND = textResponse(404, `Not found. The page is at /, or at ${SCRIPT} under IIS.`);
const NOT_ALLOWED = textResponse(405, 'Only GET and HEAD are allowed.', { Allow: 'GET, HEAD' });
const UNAVAILABLE = textResponse(503, 'The server is shutting down.', { Connection: 'close' });

/** Makes a server that does not listen yet. Throws what `node:fs` throws if public/ is missing. */
export function createApp(stream: Stream, { allowedOrigins }: { allowedOrigins: Set<string> }) {
  const assets = loadAssets(join(__dirname, '..', 'public'));
  const readers = new Set<Reader>();
  const lastResponse = new WeakMap<object, Promise<unknown>>(); // The latest of each connection.
  let closing = false;
  let reportAtMs = 0;
  const server = createServer(answer).on('checkExpectation', answer);
  server.on('upgrade', takeOver).on('connect', takeOver);
  server.keepAliveTimeout = 120_000; // Longer than load balancers and iisnode reuse connections.
  const timer = setInterval(() => readers.forEach((reader) => reader.tick()), 1000).unref();

  function answer(request: IncomingMessage, response: ServerResponse): void {
    lastResponse.set(request.socket, new Promise((resolve) => response.on('close', resolve)));
    send(response, respond(request));
  }

  /** Answers on a socket that `node:http` has let go: of an upgrade, or of CONNECT. */
  async function takeOver(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', ignore);
    // Wait for earlier responses. Nothing follows one with `Connection: close`.
    await lastResponse.get(request.socket); // Node 26 wraps `socket` while a body is missing.
    const { method, httpVersion, headers } = request;
    const isHandshake = method === 'GET' && httpVersion === '1.1' && !hasBody(request) &&
      headers.upgrade?.toLowerCase() === 'websocket';
    const { path, from } = parseTarget(request);
    // Any other upgrade gets the response to a plain request (RFC 9110 section 7.8).
    const response = isHandshake ? refuse(request, path, from) : respond(request);
    if (response) return sendRaw(socket, method, response);
    const reader = new Reader(request, socket, head);
    reader.once('open', () => begin(reader, Number(from), request));
  }

  async function begin(reader: Reader, from: number, request: IncomingMessage): Promise<void> {
    readers.add(reader);
    reader.on('close', () => readers.delete(reader));
    try {
      await stream.begin(reader, from, request);
    } catch (error) {
      console.error(`The stream failed for a reader: ${inspect(error).replace(/\s+/g, ' ')}`);
      reader.close(4000, 'the stream failed');
    }
  }

  /** The response to a plain request. */
  function respond(request: IncomingMessage): Response {
    const { method, headers } = request;
    if (closing) return UNAVAILABLE;
    if (method !== 'GET' && method !== 'HEAD') return NOT_ALLOWED;
    const { path } = parseTarget(request);
    if (path === '/ws') return upgradeRequired(request);
    const asset = assets.get(path === '/' ? 'index.html' : unescape(path.slice(1)));
    if (!asset) return NOT_FOUND;
    // A list of tags, some with W/ in front, or * for any (RFC 9110 section 13.1.2).
    const tags = headers['if-none-match'] ?? '';
    const isKnown = tags === '*' || tags.includes(asset.headers.ETag);
    return isKnown ? { ...asset, status: 304, body: '' } : { ...asset, status: 200 };
  }

  /** The response to a handshake that is refused, or undefined if it is accepted. */
  function refuse(request: IncomingMessage, path: string, from: string): Response | undefined {
    const { host, origin, 'sec-websocket-key': key = '', ...headers } = request.headers;
    const is13 = headers['sec-websocket-version'] === '13';
    if (closing) return UNAVAILABLE;
    if (path !== '/ws') return NOT_FOUND;
    if (!is13 || !KEY.test(key)) return upgradeRequired(request);
    if (!host) return textResponse(400, 'The Host header is missing.');
    if (!/^\d+$/.test(from) || Number(from) > Math.min(stream.maxFrom, Number.MAX_SAFE_INTEGER)) {
      const range = stream.maxFrom === Infinity ? '' : ` from 0 to ${stream.maxFrom}`;
      return textResponse(400, `from is ${JSON.stringify(from)}, not a whole number${range}.`);
    }
    // A proxy that changes Host often sets X-Forwarded-Host, or adds a default port. Pages cannot.
    const hosts = `${host},${headers['x-forwarded-host'] ?? host}`.split(',');
    const page = origin?.replace(/^https?:\/\//, '');
    const isOwn = hosts.some((one) => one.trim().replace(/:(80|443)$/, '') === page);
    if (!origin || isOwn || allowedOrigins.has(origin)) return undefined;
    const refusal = `Pages of ${origin} may not open streams of ${host}.`;
    if (performance.now() >= reportAtMs) {
      reportAtMs = performance.now() + 3_600_000; // An hour, so that pages cannot fill the log.
      console.error(`${inspect(refusal.slice(0, 200))} If they are yours, let the proxy pass on ` +
        'Host, or add their origin to ALLOWED_ORIGINS.');
    }
    return textResponse(403, refusal);
  }

  /** Stops listening and closes every reader with 4001; later requests get 503. */
  function close(): void {
    closing = true;
    clearInterval(timer);
    server.close();
    server.closeIdleConnections(); // Node 18 leaves them open, and browsers would reuse them.
    for (const reader of readers) reader.close(4001, 'server is shutting down');
  }
  return { server, close };
}

/** The response to a request for the stream that is no handshake. */
function upgradeRequired({ httpVersion }: IncomingMessage): Response {
  let text = 'A WebSocket needs the headers Upgrade and Connection, a key, and version 13.';
  if (httpVersion === '1.0') text = 'A WebSocket needs HTTP/1.1, but this request has HTTP/1.0.';
  return textResponse(426, text, {
    // Upgrade as RFC 9110 section 15.5.22 requires, the version as RFC 6455 section 4.4 does.
    // `close` comes last, or iisnode keeps the connection (chttpprotocol.cpp).
    Upgrade: 'websocket', Connection: 'Upgrade, close', 'Sec-WebSocket-Version': '13',
  });
}

/** The path below the mount, at least `/`, and how many messages the client has received. */
function parseTarget({ url = '' }: IncomingMessage): { path: string; from: string } {
  // A proxy may send a whole URL (RFC 9112 section 3.2.2).
  const [, path = '', query] = /^(?:https?:\/\/[^/?]*)?([^?]*)\??(.*)/i.exec(url) ?? [];
  const from = new URLSearchParams(query).get('from') ?? '0';
  return { path: path.replace(MOUNT, '') || '/', from };
}
