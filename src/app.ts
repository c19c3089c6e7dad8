import { createServer, ServerResponse, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import WebSocket from 'faye-websocket';
import { loadAssets } from './assets.js';
import { Reader } from './reader.js';
import { createRecital } from './recital.js';
import { hasBody, send, sendRaw, sentence, type Response } from './response.js';
import type { Settings } from './settings.js';

const MOUNT = /^.*\/server-faye\.js(?=\/|$)/i; // Up to the script; IIS ignores case.
const KEY = /^[A-Za-z0-9+/]{22}==$/; // Base64 of 16 bytes (RFC 6455 section 4.1).
const TOKEN = "[\\w!#$%&'*+.^`|~-]+"; // RFC 6455 section 9.1.
const EXTENSION = new RegExp(`^ *${TOKEN}( *; *${TOKEN}( *= *(${TOKEN}|"${TOKEN}"))?)* *$`);
const NOT_FOUND = sentence(404, 'Not found. The page is at /, or at server-faye.js under IIS.');
const UNAVAILABLE = sentence(503, 'The server is shutting down.', { Connection: 'close' });
// RFC 9110 section 15.5.22 requires Upgrade, RFC 6455 section 4.4 the version. `close` comes last
// because iisnode looks only at the end of this header (chttpprotocol.cpp).
const UPGRADE_REQUIRED = sentence(426, 'This is a WebSocket stream: use a client of version 13.', {
  Upgrade: 'websocket', Connection: 'Upgrade, close', 'Sec-WebSocket-Version': '13',
});

/** Makes a server that does not listen yet. Throws what `node:fs` throws if public/ is missing. */
export function createApp(stanzas: readonly string[], { intervalMs, allowedOrigins }: Settings) {
  const assets = loadAssets(join(__dirname, '..', 'public'));
  const recital = createRecital(stanzas, intervalMs);
  const readers = new Set<Reader>();
  const written = new WeakMap<Socket, Promise<unknown>>(); // The latest response per connection.
  let closing = false;
  // A subclass also sees the responses that Node writes itself, such as 417.
  class AppResponse extends ServerResponse {
    constructor(...args: ConstructorParameters<typeof ServerResponse>) {
      super(...args);
      written.set(args[0].socket, new Promise((resolve) => this.on('close', resolve)));
    }
  }
  const server: Server = createServer({ ServerResponse: AppResponse });
  server.on('request', (request, response) => send(response, respond(request)));
  // One timer for all readers. It also forgets the closed ones.
  setInterval(() => {
    for (const reader of readers) if (!reader.tick()) readers.delete(reader);
  }, 1000).unref();
  server.on('upgrade', takeOver).on('connect', takeOver);

  /** Answers on a socket that `node:http` has let go: of an upgrade, or of CONNECT. */
  async function takeOver(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    // Node has removed its own listener. Without one, a reset ends the process.
    socket.on('error', socket.destroy);
    // Wait for earlier responses. Nothing follows one with `Connection: close`.
    await written.get(request.socket); // Node 26 wraps `socket` while a body is missing.
    if (!socket.writable) return;
    const { path, from } = parseTarget(request);
    const response = isHandshake(request) ? refuse(request, path, from) : respond(request);
    if (response) return sendRaw(socket, request.method, response);
    const reader = new Reader(request, socket, head);
    reader.once('open', () => {
      readers.add(reader);
      recital.begin(reader, Number(from));
    });
  }

  /** The response to a plain request. */
  function respond(request: IncomingMessage): Response {
    const { method, headers } = request;
    if (closing) return UNAVAILABLE;
    if (method !== 'GET' && method !== 'HEAD') {
      return sentence(405, `${method} is not allowed. Use GET or HEAD.`, { Allow: 'GET, HEAD' });
    }
    const { path } = parseTarget(request);
    if (path === '/ws') return UPGRADE_REQUIRED;
    const asset = assets.get(path === '/' ? 'index.html' : path.slice(1));
    if (!asset) return NOT_FOUND;
    const tags = headers['if-none-match'] ?? ''; // RFC 9110 section 13.1.2.
    const isKnown = tags === '*' || tags.includes(asset.headers.ETag);
    return isKnown ? { ...asset, status: 304, body: '' } : { ...asset, status: 200 };
  }

  /** The response to a handshake that is refused, or undefined if it is accepted. */
  function refuse({ headers }: IncomingMessage, path: string, from: string): Response | undefined {
    const { host, origin, 'sec-websocket-key': key = '' } = headers;
    if (closing) return UNAVAILABLE;
    if (path !== '/ws') return NOT_FOUND;
    if (headers['sec-websocket-version'] !== '13' || !KEY.test(key)) return UPGRADE_REQUIRED;
    if (!host) return sentence(400, 'The Host header is missing.');
    const extensions = headers['sec-websocket-extensions']?.replaceAll('\t', ' ');
    if (extensions && !extensions.split(',').every((one) => EXTENSION.test(one))) {
      return sentence(400, `Sec-WebSocket-Extensions is malformed: ${extensions}`);
    }
    if (!/^\d+$/.test(from) || Number(from) > recital.maxFrom) {
      const range = `a whole number from 0 to ${recital.maxFrom}`;
      return sentence(400, `from is ${JSON.stringify(from)}, but must be ${range}.`);
    }
    if (!origin) return undefined;
    const own = ['http', 'https'].map((scheme) => toOrigin(`${scheme}://${host}`));
    if ([...own, ...allowedOrigins].includes(toOrigin(origin))) return undefined;
    return sentence(403, `Pages of ${origin} may not open this stream. See ALLOWED_ORIGINS.`);
  }

  /** Stops listening and closes every reader with 4001; later requests get 503. */
  function close(): void {
    closing = true;
    server.close();
    server.closeIdleConnections(); // Node 18 leaves them open, and browsers would reuse them.
    for (const reader of readers) reader.close(4001, 'server is shutting down');
  }
  return { server, close };
}

/** The path below the mount, at least `/`, and how many stanzas the client has received. */
function parseTarget({ url = '' }: IncomingMessage): { path: string; from: string } {
  // A proxy may send a whole URL (RFC 9112 section 3.2.2).
  const [, path = '', query] = /^(?:https?:\/\/[^/?]*)?([^?]*)\??(.*)/i.exec(url) ?? [];
  const from = new URLSearchParams(query).get('from') ?? '0';
  return { path: path.replace(MOUNT, '') || '/', from };
}

/** Any other upgrade gets the response to a plain request (RFC 9110 section 7.8). */
const isHandshake = (request: IncomingMessage): boolean =>
  request.httpVersion === '1.1' && !hasBody(request) && WebSocket.isWebSocket(request);

/** Normalizes an origin: no default port, no capitals. */
const toOrigin = (url: string): string => (URL.canParse(url) ? new URL(url).origin : url);
