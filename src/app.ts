import { createServer, ServerResponse } from 'node:http';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import WebSocket from 'faye-websocket';
import { loadAssets, sendAsset } from './assets.js';
import { Recital } from './recital.js';

/** What the app serves, and to whom. */
export interface AppOptions {
  /** The messages of the stream, in order. */
  stanzas: readonly string[];
  /** From one stanza to the next, in milliseconds. */
  intervalMs: number;
  /** The origins, besides the server's own, whose pages may open the stream. */
  allowedOrigins: ReadonlySet<string>;
}

/** An answer other than a file: one plain sentence. */
interface Answer {
  status: number;
  sentence: string;
  headers?: OutgoingHttpHeaders;
}

/** Everything up to and including the script that IIS maps; IIS compares without regard to case. */
const MOUNT = /^.*\/server-faye\.js(?=\/|$)/i;
const STREAM = '/ws';

/** Base64 of 16 bytes (RFC 6455 section 4.1). */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/** A client has nothing to say: what it sends is ignored, and more bytes than these close with 1009. */
const LIMITS = { maxLength: 1024 };

/** How long a client may take to read a refusal and close its side, in milliseconds. */
const LINGER_MS = 2000;

const NOT_FOUND: Answer = {
  status: 404,
  sentence: 'There is nothing here: the page is at /, or at server-faye.js under IIS, the stream below it at ws.',
};

/** RFC 9110 section 15.5.22 asks for Upgrade, RFC 6455 section 4.4 for the version. */
const UPGRADE_REQUIRED: Answer = {
  status: 426,
  sentence: 'This is a WebSocket stream: open it with a WebSocket client, version 13.',
  headers: { Upgrade: 'websocket', Connection: 'close, Upgrade', 'Sec-WebSocket-Version': '13' },
};

/**
 * Makes a server that is yet to listen, and the means to end all its streams.
 * Throws what `node:fs` throws if public/ cannot be read.
 */
export function createApp({ stanzas, intervalMs, allowedOrigins }: AppOptions) {
  const assets = loadAssets(join(__dirname, '..', 'public'));
  const recital = new Recital(stanzas, intervalMs);
  let closing = false;

  function answerRequest(request: IncomingMessage, response: ServerResponse): void {
    const { method } = request;
    if (method !== 'GET' && method !== 'HEAD') {
      const sentence = `${method} is not allowed here, only GET and HEAD are.`;
      return send(response, { status: 405, sentence, headers: { Allow: 'GET, HEAD' } });
    }
    const path = belowMount(request);
    if (path === STREAM) return send(response, UPGRADE_REQUIRED);
    const asset = assets.get(path === '/' ? 'index.html' : path.slice(1));
    if (asset) return sendAsset(asset, request, response);
    send(response, NOT_FOUND);
  }

  function refusal(request: IncomingMessage, from: string): Answer | undefined {
    const { headers } = request;
    const { host = '', origin } = headers;
    if (belowMount(request) !== STREAM) return NOT_FOUND;
    if (headers['sec-websocket-version'] !== '13' || !KEY.test(headers['sec-websocket-key'] ?? '')) {
      return UPGRADE_REQUIRED;
    }
    if (!/^\d+$/.test(from) || Number(from) > stanzas.length) {
      const value = JSON.stringify(from);
      const sentence = `from is ${value}, but takes a whole number from 0 to ${stanzas.length}.`;
      return { status: 400, sentence };
    }
    const own = [`http://${host.toLowerCase()}`, `https://${host.toLowerCase()}`];
    if (origin !== undefined && !own.includes(origin) && !allowedOrigins.has(origin)) {
      const sentence = `Pages of ${origin} may not open this stream: ALLOWED_ORIGINS does not name it.`;
      return { status: 403, sentence };
    }
    if (closing) return { status: 503, sentence: 'The server is shutting down: come back shortly.' };
    return undefined;
  }

  const server = createServer(answerRequest);

  server.on('upgrade', (request: IncomingMessage, _socket, head: Buffer) => {
    const { socket, method, url, headers } = request;
    // A peer that resets must cost its socket and never the process.
    socket.on('error', () => socket.destroy());

    // h2c and the like: a server may ignore the upgrade (RFC 9110 section 7.8).
    if (!WebSocket.isWebSocket(request)) return answerRequest(request, responseTo(request));

    const query = (url ?? '').replace(/^[^?]*/, '');
    const from = new URLSearchParams(query).get('from') ?? '0';
    const refused = refusal(request, from);
    if (refused) return send(responseTo(request), refused);

    // The answer to the handshake and the first stanza leave in one packet.
    socket.cork();
    // faye-websocket keeps what it gets as long as the connection lasts: these, not the request.
    recital.begin(new WebSocket({ method, url, headers }, socket, head, [], LIMITS), Number(from));
    process.nextTick(() => socket.uncork());
  });

  return {
    server,
    /** Closes every reader with 4001, so that it comes back, and refuses new ones with 503. */
    closeReaders(): void {
      closing = true;
      recital.close(4001, 'server is shutting down');
    },
  };
}

/** The path without the query and the mount, at least `/`. */
function belowMount(request: IncomingMessage): string {
  const path = (request.url ?? '').replace(/\?.*$/, '');
  // RFC 9112 section 3.2.2: a server must take a whole URL as well, as proxies send it.
  return path.replace(/^https?:\/\/[^/]*/i, '').replace(MOUNT, '') || '/';
}

/** A response on the socket of an upgrade, which `node:http` has let go; closes it afterwards. */
function responseTo(request: IncomingMessage): ServerResponse {
  const { socket } = request;
  const response = new ServerResponse(request);
  response.assignSocket(socket);
  response.shouldKeepAlive = false;
  response.on('finish', () => {
    // What the client still sends is read, or closing would reset the answer away from it.
    socket.resume().end();
    socket.setTimeout(LINGER_MS, () => socket.destroy());
  });
  return response;
}

function send(response: ServerResponse, { status, sentence, headers }: Answer): void {
  const body = `${sentence}\n`;
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
    'X-Content-Type-Options': 'nosniff',
    ...headers,
  });
  response.end(body);
}
