import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';

/** Connects to a port of this machine, or to a pipe. */
export const connectTo = (to: number | string): Socket =>
  typeof to === 'string' ? connect(to) : connect(to, '127.0.0.1');

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
  const hasNoBody = method === 'HEAD' || [101, 204, 304].includes(status);
  const end = hasNoBody ? start : start + Number(headers['content-length'] ?? Infinity);
  if (end > bytes.length) return undefined;
  return { status, headers, body: bytes.toString('utf8', start, end), rest: bytes.subarray(end) };
}

/** Sends bytes. Resolves with the response once the server has closed or upgraded. */
export async function exchange(to: number | string, bytes: string) {
  const socket = connectTo(to);
  let received = Buffer.alloc(0);
  const parse = () => parseResponse(received, bytes.split(' ')[0]);
  socket.write(bytes);
  for await (const chunk of socket) {
    received = Buffer.concat([received, chunk]);
    if (parse()?.status === 101) break;
  }
  return parse() ?? assert.fail(`This is no response: ${JSON.stringify(`${received}`)}`);
}

type Headers = Record<string, string | undefined>;
type RequestLine = { method?: string; version?: string };
/** A plain request. Headers that are undefined are left out. */
export function request(target: string, headers: Headers = {}, line: RequestLine = {}): string {
  const { method = 'GET', version = '1.1' } = line;
  const all = Object.entries({ Host: 'dante.example', Connection: 'close', ...headers });
  const lines = all.map(([name, value]) => (value === undefined ? '' : `${name}: ${value}\r\n`));
  return `${method} ${target} HTTP/${version}\r\n${lines.join('')}\r\n`;
}

/** A handshake (RFC 6455 section 1.2), with headers changed, added or left out. */
export function handshake(target = '/ws', changes: Headers = {}, line: RequestLine = {}): string {
  return request(target, {
    Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', ...changes,
  }, line);
}
