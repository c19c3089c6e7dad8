import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

type Headers = Record<string, string | number>;
export type Response = { status: number; headers: Headers; body: string | Buffer };

/** Makes a response whose body is one sentence. */
export function textResponse(status: number, text: string, more: Headers = {}): Response {
  const type = { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' };
  const body = Buffer.from(`${text}\n`);
  return { status, headers: { ...type, 'Content-Length': body.length, ...more }, body };
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
  // connection. Read the body first, for 2 s at most, or the client may lose the response.
  to.setHeader('Connection', 'close');
  to.req.resume().on('end', write);
  setTimeout(write, 2000).unref();
}

/** Sends a response on the socket of an upgrade, after `node:http` has released it. */
export function sendRaw(socket: Duplex, method = 'GET', { status, headers, body }: Response): void {
  const all = Object.entries({ Date: new Date().toUTCString(), Connection: 'close', ...headers });
  const lines = all.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines}\r\n`);
  // Keep reading: closing with unread data resets the connection, and may discard the response.
  socket.resume().end(method === 'HEAD' ? '' : body, () => {
    setTimeout(() => socket.destroy(), 2000).unref(); // The client may not close its side.
  });
}
