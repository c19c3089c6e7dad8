import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { unescape } from 'node:querystring'; // It does not throw.
import type { Duplex } from 'node:stream';
import { loadAssets, PUBLIC } from './assets.js';
import { Reader, type Stream } from './reader.js';
import { checkReply, hasBody, send, sendRaw, textReply, type Reply } from './reply.js';
import { report } from './report.js';

/** The script that IIS runs. All URLs but `/` contain it, because IIS passes only those on. */
export const SCRIPT = 'server-faye.js';
const MOUNT = new RegExp(`^.*/${SCRIPT.replace('.', '\\.')}(?=/|$)`, 'i'); // IIS ignores case.
const ignore = (): void => {}; // Without a listener, the reset of a socket ends the process.
const NOT_FOUND = textReply(404, `Not found. The page is at /, or at ${SCRIPT} under IIS.`);
const NOT_ALLOWED = textReply(405, 'Only GET and HEAD are allowed.', { Allow: 'GET, HEAD' });
const UNAVAILABLE = textReply(503, 'The server is shutting down.', { Connection: 'close' });

/** Asked first; undefined leaves it to dante. A promise that never settles holds a connection. */
export type OnRequest =
  (request: IncomingMessage, path: string) => Reply | undefined | Promise<Reply | undefined>;
type Origins = { allowedOrigins: Set<string> };
type Answer<T> = (request: IncomingMessage, path: string, query: URLSearchParams) => Reply | T;

/** Makes a server that does not listen yet. Throws what `node:fs` throws if public/ is missing. */
export function createApp(stream: Stream, { allowedOrigins }: Origins, onRequest?: OnRequest) {
  const assets = loadAssets(PUBLIC);
  const readers = new Set<Reader>();
  const unanswered = new WeakMap<object, Set<ServerResponse>>(); // Of each connection.
  const timer = setInterval(() => readers.forEach(Reader.tick), 1000).unref();
  let closed: Promise<void> | undefined;
  const server = createServer(handleRequest).on('checkExpectation', handleRequest);
  server.on('upgrade', handleUpgrade).on('connect', handleUpgrade);
  server.keepAliveTimeout = 120_000; // Longer than load balancers and iisnode reuse connections.
  server.timeout = 60_000; // For a client that does not read. It fires after up to twice as long.

  async function handleRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const responses = unanswered.get(request.socket) ?? new Set();
    unanswered.set(request.socket, responses.add(response));
    response.on('close', () => responses.delete(response));
    if (responses.size > 100) return void request.socket.destroy(); // At most 100 wait.
    send(response, await decide(request, route));
  }

  async function handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer) {
    socket.on('error', ignore).on('timeout', socket.destroy);
    // Node 26 wraps `socket` while a body is missing. Nothing follows `Connection: close`.
    for (const response of unanswered.get(request.socket) ?? []) {
      await new Promise((resolve) => response.on('close', resolve));
    }
    const { method, httpVersion, headers } = request;
    const isHandshake = method === 'GET' && httpVersion === '1.1' && !hasBody(request) &&
      headers.upgrade?.toLowerCase() === 'websocket';
    // Any other upgrade gets the reply to a plain request (RFC 9110 section 7.8).
    const answer = await decide(request, isHandshake ? handshake : route);
    if ('status' in answer) return sendRaw(socket, method, answer);
    if (!socket.readable || !socket.writable) return void socket.destroy(); // It has left.
    const reader = new Reader(request, socket, head, answer.hello);
    reader.once('open', () => accept(reader, answer.position, request));
  }

  async function decide<T>(request: IncomingMessage, answer: Answer<T>): Promise<Reply | T> {
    try {
      const { path, query } = parseTarget(request);
      const reply = closed ? UNAVAILABLE : await onRequest?.(request, path);
      if (reply === undefined) return closed ? UNAVAILABLE : answer(request, path, query);
      checkReply(reply);
      return reply;
    } catch (error) {
      if (!request.socket.destroyed) report('A request failed', error);
      return textReply(500, 'The server failed. Its log has the reason.');
    }
  }

  function accept(reader: Reader, from: number, request: IncomingMessage): void {
    readers.add(reader);
    reader.on('close', () => readers.delete(reader));
    Promise.resolve(stream.begin(reader, from, request)).catch((error) => reader.fail(error));
  }

  function route(request: IncomingMessage, path: string): Reply {
    const { method, headers: { 'if-none-match': tags = '' } } = request;
    if (method !== 'GET' && method !== 'HEAD') return NOT_ALLOWED;
    if (path === '/ws') return upgradeRequired(request);
    const asset = assets.get(path === '/' ? 'index.html' : path.slice(1));
    if (!asset) return NOT_FOUND;
    const isKnown = tags === '*' || tags.includes(asset.headers.ETag); // RFC 9110 13.1.2
    return isKnown ? { ...asset, status: 304, body: '' } : { ...asset, status: 200 };
  }

  function handshake(request: IncomingMessage, path: string, query: URLSearchParams) {
    const { host, origin, 'sec-websocket-version': version, ...headers } = request.headers;
    const hasKey = /^[A-Za-z0-9+/]{22}==$/.test(headers['sec-websocket-key'] ?? ''); // 16 bytes.
    if (path !== '/ws') return NOT_FOUND;
    if (version !== '13' || !hasKey) return upgradeRequired(request);
    if (!host) return textReply(400, 'The Host header is missing.');
    // A proxy that changes Host often sets X-Forwarded-Host, or adds a default port. Pages cannot.
    const hosts = [host, ...String(headers['x-forwarded-host'] ?? host).split(',')];
    const names = hosts.map((one) => one.trim().toLowerCase().replace(/:(80|443)$/, ''));
    const isOwn = !origin || names.includes(origin.replace(/^https?:\/\//, ''));
    if (!isOwn && !allowedOrigins.has(origin)) {
      const text = `Pages of ${origin} may not open streams of ${host}.`;
      report('If a page is yours, let the proxy pass on Host, or set ALLOWED_ORIGINS', text);
      return textReply(403, text);
    }
    const { total } = stream;
    const { epoch, earliest } = stream.origin?.(request) ?? { epoch: '', earliest: 0 };
    const from = query.get('from') ?? '0';
    const count = /^\d+$/.test(from) ? Number(from) : NaN;
    const isOtherRun = epoch !== '' && (query.get('epoch') || epoch) !== epoch;
    if (!Number.isSafeInteger(count) || (count > total && !isOtherRun)) {
      const range = total === Infinity ? '' : ` from 0 to ${total}`;
      return textReply(400, `from is ${JSON.stringify(from)}, not a whole number${range}.`);
    }
    const position = isOtherRun ? earliest : Math.max(count, earliest);
    return { position, hello: epoch && JSON.stringify({ epoch, from: position, total }) };
  }

  async function shutDown(): Promise<void> {
    clearInterval(timer);
    server.close();
    server.closeIdleConnections(); // Node 18 leaves them open, and browsers would reuse them.
    const left = Array.from(readers, (reader) => new Promise((resolve) => {
      reader.prependListener('close', resolve).close(4001, 'server is shutting down');
    }));
    await Promise.all([...left, stream.close?.()]);
  }

  /** Closes readers with 4001, and answers 503. Resolves when they have left, in 30 s at most. */
  const close = (): Promise<void> => (closed ??= shutDown());
  return { server, handleRequest, handleUpgrade, close };
}

function upgradeRequired({ httpVersion, headers }: IncomingMessage): Reply {
  const rest = 'the headers Upgrade and Connection, a key, and version 13';
  const isAttempt = headers.upgrade ?? headers['sec-websocket-key'];
  return textReply(426, `A WebSocket needs HTTP/1.1, ${rest}; this is HTTP/${httpVersion}.`, {
    'Sec-WebSocket-Version': '13', // RFC 6455 section 4.4
    // RFC 9110 section 15.5.22. Over HTTP/2, WebKit rejects it, and so the page's plain request.
    ...(isAttempt && { Upgrade: 'websocket' }),
    // `close` comes last, or iisnode keeps the connection (chttpprotocol.cpp).
    Connection: isAttempt ? 'Upgrade, close' : 'close',
  });
}

function parseTarget({ url = '' }: IncomingMessage): { path: string; query: URLSearchParams } {
  // A proxy may send a whole URL (RFC 9112 section 3.2.2).
  const [, path = '', query] = /^(?:https?:\/\/[^/?]*)?([^?]*)\??(.*)/i.exec(url) ?? [];
  return { path: unescape(path.replace(MOUNT, '')) || '/', query: new URLSearchParams(query) };
}
