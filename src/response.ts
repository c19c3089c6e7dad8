import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

type Headers = Record<string, string | number>;
export type Response = { status: number; headers: Headers; body: string | Buffer };
const MAX_BODY_MS = 2000; // How long a client may take to send its body.
const MAX_CLOSE_MS = 2000; // How long it may take to close its side after a refusal.

/** Makes a response whose body is one sentence. */
export function textResponse(status: number, text: string, more: Headers = {}): Response {
  const type = { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' };
  const headers = { ...type, 'Content-Length': Buffer.byteLength(text) + 1, ...more };
  return { status, headers, body: `${text}\n` };
}

/** Whether a request has a body: one of these headers announces it (RFC 9112 section 6.3). */
export const hasBody = ({ headers }: IncomingMessage): boolean =>
  Number(headers['content-length']) > 0 || headers['transfer-encoding'] !== undefined;

/** Sends a response through `node:http`. */
export function send(to: ServerResponse, { status, headers, body }: Response): void {
  const write = (): void => {
    if (!to.headersSent) to.writeHead(status, headers).end(body);
  };
  if (!hasBody(to.req)) return write();
  // iisnode sends the next request as the rest of this body (cprotocolbridge.cpp), so close the
  // connection. Read the body first, or the client may lose the response.
  to.setHeader('Connection', 'close');
  to.req.resume().on('end', write);
  setTimeout(write, MAX_BODY_MS).unref();
}

/** Sends a response on the socket of an upgrade, after `node:http` has released it. */
export function sendRaw(socket: Duplex, method = 'GET', { status, headers, body }: Response): void {
  const all = Object.entries({ Date: new Date().toUTCString(), Connection: 'close', ...headers });
  const lines = all.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines}\r\n`);
  // Keep reading: closing with unread data resets the connection, and may discard the response.
  socket.resume().end(method === 'HEAD' ? '' : body, () => {
    setTimeout(() => socket.destroy(), MAX_CLOSE_MS).unref();
  });
}
