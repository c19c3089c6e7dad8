import { connect, type NetConnectOpts, type Socket } from 'node:net';

/** Where a server of the tests listens: a port of this machine, or the path of a pipe or socket. */
export type Place = number | string;

export function connectTo(place: Place): Socket {
  const options: NetConnectOpts =
    typeof place === 'string' ? { path: place } : { port: place, host: '127.0.0.1' };
  return connect(options);
}

export interface RawAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/**
 * Sends these very bytes and resolves with the answer once both sides have closed. With
 * `readLate` it reads nothing before all is sent, so that a reset takes the answer with it.
 */
export function exchange(
  place: Place,
  bytes: string | Buffer,
  { readLate = false } = {},
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connectTo(place);
    socket.setTimeout(10_000, () => socket.destroy(new Error('The server left the socket open.')));
    socket.on('error', reject);
    const read = (): unknown => socket.on('data', (chunk) => chunks.push(chunk));
    // Not at the end already: a reset behind the answer may take it away from slower readers.
    socket.on('close', () => resolve(parseAnswer(Buffer.concat(chunks).toString('utf8'))));
    if (!readLate) read();
    socket.write(bytes, () => readLate && read());
  });
}

function parseAnswer(text: string): RawAnswer {
  const end = text.indexOf('\r\n\r\n');
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
