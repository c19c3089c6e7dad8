import { createServer, ServerResponse, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import WebSocket from 'faye-websocket';
import { loadAssets } from './assets.js';
import { createRecital } from './recital.js';
import type { Settings } from './settings.js';

/** An answer other than a file; the message is one plain sentence. */
type Answer = [status: number, message: string, headers?: Record<string, string>];

/** Everything up to and including the script that IIS maps; IIS compares without regard to case. */
const MOUNT = /^.*\/server-faye\.js(?=\/|$)/i;
/** Base64 of 16 bytes (RFC 6455 section 4.1). */
const KEY = /^[A-Za-z0-9+/]{22}==$/;
/** A client has nothing to say: a longer message, in bytes, closes with 1009. */
const OPTIONS: WebSocket.Options = { maxLength: 1024 };
/** How long a client may take to read a refusal and close its side, in milliseconds. */
const LINGER_MS = 2000;

const WHERE = 'the page is at /, or at server-faye.js under IIS, the stream below it at ws';
const NOT_FOUND: Answer = [404, `There is nothing here: ${WHERE}.`];
// Upgrade by RFC 9110 section 15.5.22, the version by RFC 6455 section 4.4. `close` stands last:
// iisnode looks at the end alone, and else writes into the closing pipe (chttpprotocol.cpp).
const UPGRADE_REQUIRED: Answer = [
  426, 'This is a WebSocket stream: open it with a WebSocket client, version 13.',
  { Upgrade: 'websocket', Connection: 'Upgrade, close', 'Sec-WebSocket-Version': '13' },
];
const UNAVAILABLE: Answer = [503, 'Shutting down: come back shortly.', { Connection: 'close' }];

/**
 * Makes a server that is yet to listen, and the means to close it.
 * Throws what `node:fs` throws if public/ cannot be read.
 */
export function createApp(stanzas: readonly string[], { intervalMs, allowedOrigins }: Settings) {
  const assets = loadAssets(join(__dirname, '..', 'public'));
  const recital = createRecital(stanzas, intervalMs);
  const server = createServer(answerRequest);
  let closing = false;

  function answerRequest(request: IncomingMessage, response: ServerResponse): void {
    const { method } = request;
    const { path } = parseTarget(request);
    const asset = assets.get(path === '/' ? 'index.html' : path.slice(1));
    if (closing) send(response, UNAVAILABLE);
    else if (method !== 'GET' && method !== 'HEAD') {
      send(response, [405, `${method} is not allowed, GET and HEAD are.`, { Allow: 'GET, HEAD' }]);
    } else if (path === '/ws') send(response, UPGRADE_REQUIRED);
    else if (asset) asset(request, response);
    else send(response, NOT_FOUND);
  }

  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const { method, url, headers } = request;
    // A peer that resets must cost its socket and never the process.
    socket.on('error', () => socket.destroy());

    // h2c and the like, or a body, whose bytes some Nodes hand over as frames and some do not:
    // a server may ignore an upgrade (RFC 9110 section 7.8).
    const hasBody = Number(headers['content-length']) > 0 || headers['transfer-encoding'];
    if (closing || hasBody || !WebSocket.isWebSocket(request)) {
      return answerRequest(request, responseTo(request, socket));
    }
    const { path, from } = parseTarget(request);
    const refused = refuse(request, path, from);
    if (refused) return send(responseTo(request, socket), refused);

    // The answer to the handshake and the first stanza leave in one packet.
    socket.cork();
    // faye-websocket keeps what it gets as long as the connection lasts: these, not the request.
    recital.begin(new WebSocket({ method, url, headers }, socket, head, [], OPTIONS), Number(from));
    process.nextTick(() => socket.uncork());
  });

  function refuse({ headers }: IncomingMessage, path: string, from: string): Answer | undefined {
    const { host = '', origin, 'sec-websocket-key': key = '' } = headers;
    if (path !== '/ws') return NOT_FOUND;
    if (headers['sec-websocket-version'] !== '13' || !KEY.test(key)) return UPGRADE_REQUIRED;
    if (!/^\d+$/.test(from) || Number(from) > recital.maxFrom) {
      const value = JSON.stringify(from);
      return [400, `from is ${value}, but takes a whole number from 0 to ${recital.maxFrom}.`];
    }
    const own = [undefined, `http://${host.toLowerCase()}`, `https://${host.toLowerCase()}`];
    if (own.includes(origin) || allowedOrigins.has(origin ?? '')) return undefined;
    return [403, `Pages of ${origin} may not open this stream: ALLOWED_ORIGINS does not name it.`];
  }

  /** Stops listening and closes every reader with 4001; who still asks anything is told 503. */
  function close(): void {
    closing = true;
    server.close();
    server.closeIdleConnections(); // Which Node 18 leaves open: a browser would go on asking there.
    recital.close(4001, 'server is shutting down');
  }

  return { server, close };
}

/** What a request is for: the path below the mount, at least `/`, and how much was heard. */
function parseTarget({ url = '' }: IncomingMessage): { path: string; from: string } {
  // RFC 9112 section 3.2.2: a server must take a whole URL as well, as proxies send it.
  const [, path = '', query] = /^(?:https?:\/\/[^/?]*)?([^?]*)\??(.*)$/i.exec(url) ?? [];
  const from = new URLSearchParams(query).get('from') ?? '0';
  return { path: path.replace(MOUNT, '') || '/', from };
}

/** A response on the socket of an upgrade, which `node:http` has let go; closes it afterwards. */
function responseTo(request: IncomingMessage, socket: Socket): ServerResponse {
  const response = new ServerResponse(request);
  response.assignSocket(socket);
  response.shouldKeepAlive = false;
  return response.on('finish', () => {
    // What the client still sends is read, or closing would reset the answer away from it.
    socket.resume().end();
    const limit = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.on('close', () => clearTimeout(limit));
  });
}

function send(response: ServerResponse, [status, message, headers]: Answer): void {
  const text = { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' };
  const body = `${message}\n`;
  response.writeHead(status, { ...text, 'Content-Length': Buffer.byteLength(body), ...headers });
  response.end(body);
}
