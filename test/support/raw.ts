import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** Where a server listens: a port of this machine, the path of a pipe or socket, or a URL's host. */
export type Place = number | string | URL;

export function connectTo(place: Place): Socket {
  if (typeof place === 'number') return connect({ port: place, host: '127.0.0.1' });
  if (typeof place === 'string') return connect({ path: place });
  const { protocol, port } = place;
  // An IPv6 address stands in brackets in a URL, and without them elsewhere.
  const host = place.hostname.replace(/^\[|\]$/g, '');
  const secure = protocol === 'https:';
  const socket = connect({ host, port: Number(port || (secure ? 443 : 80)), autoSelectFamily: true });
  return secure ? connectTls({ socket, servername: isIP(host) ? '' : host, host }) : socket;
}

export interface RawAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/**
 * Sends these very bytes and resolves with the answer: once both sides have closed or, with
 * `whole`, once it is there, for where a host keeps the connection. With `readLate` it reads nothing
 * before all is sent, so that a reset takes the answer with it.
 */
export function exchange(
  place: Place,
  bytes: string | Buffer,
  { readLate = false, whole = false, timeoutMs = 10_000 } = {},
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connectTo(place);
    const answer = (): RawAnswer => parseAnswer(Buffer.concat(chunks).toString('utf8'));
    const missing = whole ? 'There was no whole answer' : 'The server left the socket open';
    const timer = setTimeout(() => socket.destroy(new Error(`${missing} within ${timeoutMs} ms.`)), timeoutMs);
    socket.on('error', reject);
    const read = (): unknown =>
      socket.on('data', (chunk) => {
        chunks.push(chunk);
        const isHttp = Buffer.concat(chunks).subarray(0, 5).equals(Buffer.from('HTTP/'));
        if (whole && (!isHttp || isWhole(answer(), /^HEAD /.test(String(bytes))))) socket.destroy();
      });
    // Not at the end already: a reset behind the answer may take it away from slower readers.
    socket.on('close', () => {
      clearTimeout(timer);
      if (chunks.length === 0) reject(new Error('The connection was closed without an answer.'));
      else resolve(answer());
    });
    if (!readLate) read();
    socket.write(bytes, () => readLate && read());
  });
}

function isWhole({ status, headers, body }: RawAnswer, toHead: boolean): boolean {
  if (status === 0) return false;
  if (toHead || status === 101 || status === 304) return true;
  if (headers['transfer-encoding'] === 'chunked') return body.endsWith('0\r\n\r\n');
  return Buffer.byteLength(body) >= Number(headers['content-length']);
}

function parseAnswer(text: string): RawAnswer {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return { status: 0, headers: {}, body: '' };
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  return { status: Number(statusLine.split(' ')[1]), headers, body: text.slice(end + 4) };
}

/** A good handshake (RFC 6455 section 1.2), with lines changed, added, or left out (undefined). */
export function handshake(
  target = '/ws',
  changes: Record<string, string | undefined> = {},
  method = 'GET',
): string {
  const headers: Record<string, string | undefined> = {
    Host: 'dante.example',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...changes,
  };
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  );
  return [`${method} ${target} HTTP/1.1`, ...lines, '', ''].join('\r\n');
}
