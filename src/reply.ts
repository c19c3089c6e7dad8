import { STATUS_CODES, validateHeaderName, validateHeaderValue } from 'node:http';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { finished, type Duplex } from 'node:stream';

/** A response as a value. Its length is added when it is sent. */
export type Reply = { status: number; headers: OutgoingHttpHeaders; body: string | Buffer };

/** Makes a reply whose body is a text and a line feed. `headers` replace those that it has. */
export function textReply(status: number, text: string, headers: OutgoingHttpHeaders = {}): Reply {
  const type = { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' };
  return { status, headers: { ...type, ...headers }, body: `${text}\n` };
}

/** Throws TypeError or RangeError if a reply cannot be sent. */
export function checkReply({ status, headers, body }: Reply): void {
  Buffer.byteLength(body);
  if (!/^[2-5]\d\d$/.test(`${status}`)) throw new RangeError(`${status} is no status.`);
  for (const [name, value] of Object.entries(headers)) {
    validateHeaderName(name);
    for (const one of [value].flat()) validateHeaderValue(name, String(one ?? '\n'));
  }
}

/** Whether a request has a body: one of these headers announces it (RFC 9112 section 6.3). */
export const hasBody = ({ headers }: IncomingMessage): boolean =>
  Number(headers['content-length']) > 0 || headers['transfer-encoding'] !== undefined;

/** Adds the length of the body. Clients fail on one with 204 or 304 (RFC 9110 section 8.6). */
const addLength = ({ status, headers, body }: Reply): OutgoingHttpHeaders =>
  [204, 304].includes(status) ? headers :
    { 'Content-Length': Buffer.byteLength(body), ...headers };

/** Sends a reply through `node:http`. */
export function send(to: ServerResponse, reply: Reply): void {
  const write = (): void => {
    if (!to.headersSent) to.writeHead(reply.status, addLength(reply)).end(reply.body);
  };
  if (!hasBody(to.req)) return write();
  // iisnode sends the next request as the rest of this body (cprotocolbridge.cpp), so close the
  // connection. Read the body first, for 2 s at most, or the client may lose the response.
  if (!to.headersSent) to.setHeader('Connection', 'close');
  finished(to.req.resume(), write);
  setTimeout(write, 2000).unref();
}

/** Sends a reply on the socket of an upgrade, after `node:http` has released it. */
export function sendRaw(socket: Duplex, method = 'GET', reply: Reply): void {
  const { status, body } = reply;
  const all = { Date: new Date().toUTCString(), Connection: 'close', ...addLength(reply) };
  const lines = Object.entries(all).flatMap(([name, value = []]) =>
    [value].flat().map((one) => `${name}: ${one}\r\n`));
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`);
  // Keep reading: closing with unread data resets the connection, and may discard the response.
  socket.resume().end(method === 'HEAD' ? '' : body);
  setTimeout(() => socket.destroy(), 2000 + Buffer.byteLength(body) / 10).unref(); // At least 2 s.
}
