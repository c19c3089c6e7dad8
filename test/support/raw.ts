import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';

/** Connects to a port of this machine. */
export const connectTo = (port: number): Socket => connect({ port, host: '127.0.0.1' });

/** Collects what comes back on a connection. */
export function collect(socket: Socket) {
  let text = '';
  socket.on('error', () => {}).on('data', (chunk) => (text += chunk)); // A reset may come back.
  return { socket, received: () => text };
}

/** Parses the first response in `bytes`; undefined if it is not complete. `rest` follows it. */
export function parseResponse(bytes: Buffer, method = 'GET') {
  const start = bytes.indexOf('\r\n\r\n') + 4;
  if (start < 4) return undefined;
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, start - 4).split('\r\n');
  const pairs = lines.map((line) => line.split(/: *(.*)/));
  const headers: Record<string, string> = {};
  for (const [name = '', value = ''] of pairs) headers[name.toLowerCase()] = value;
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
  let end = start + Number(headers['content-length'] ?? Infinity);
  if (headers['transfer-encoding'] === 'chunked') end = bytes.indexOf('0\r\n\r\n', start) + 5;
  if (method === 'HEAD' || status === 101 || status === 304) end = start;
  if (end < start || end > bytes.length) return undefined;
  return { status, headers, body: bytes.toString('utf8', start, end), rest: bytes.subarray(end) };
}

/**
 * Sends bytes on a new connection, and resolves with the response once the server has closed it or,
 * with `keep`, once the response is complete. Throws after 30 s.
 */
export async function exchange(port: number, bytes: string, { keep = false } = {}) {
  const socket = connectTo(port);
  const late = new Error('No response within 30 s.');
  const timer = setTimeout(() => socket.destroy(late), 30_000);
  let received = Buffer.alloc(0);
  const parse = () => parseResponse(received, bytes.split(' ')[0]);
  socket.write(bytes);
  try {
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk]);
      const isHttp = 'HTTP/1.1 '.startsWith(received.toString('latin1', 0, 9));
      if (keep && (!isHttp || parse())) break;
    }
  } finally {
    clearTimeout(timer);
  }
  const start = JSON.stringify(received.toString('latin1', 0, 60));
  return parse() ?? assert.fail(`The connection was closed after ${start}, which is no response.`);
}

/** The headers of an upgrade to HTTP/2. */
export const H2C = {
  Upgrade: 'h2c', Connection: 'Upgrade, HTTP2-Settings', 'HTTP2-Settings': 'AAMAAABk',
};

/** A handshake (RFC 6455 section 1.2), with headers changed, added or left out (undefined). */
export function handshake(
  target = '/ws',
  changes: Record<string, string | undefined> = {},
  { method = 'GET', version = '1.1' } = {},
): string {
  const headers: Record<string, string | undefined> = {
    Host: 'dante.example',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...changes,
  };
  const lines = Object.entries(headers).filter(([, value]) => value !== undefined);
  const head = [[`${method} ${target} HTTP/${version}`], ...lines].map((line) => line.join(': '));
  return `${head.join('\r\n')}\r\n\r\n`;
}

/** A plain request that asks for the connection to be closed. */
export function request(target: string, headers: Record<string, string> = {}, method = 'GET') {
  const none = Object.fromEntries(
    ['Upgrade', 'Sec-WebSocket-Version', 'Sec-WebSocket-Key'].map((name) => [name, undefined]),
  );
  return handshake(target, { ...none, Connection: 'close', ...headers }, { method });
}
