import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'faye-websocket';

/** Connects to a port of this machine, or to a pipe. */
export const connectTo = (to: number | string): Socket =>
  typeof to === 'string' ? connect(to) : connect(to, '127.0.0.1');

/** Connects, sends bytes, and collects those that come back, each as one character. */
export function collect(to: number | string, bytes = '') {
  let text = '';
  const socket = connectTo(to).setEncoding('latin1');
  socket.on('error', () => {}).on('data', (chunk) => (text += chunk)); // A reset may come back.
  socket.write(bytes);
  return { socket, received: () => text };
}

/** Parses the first response in `text`; undefined if it is not complete. `rest` follows it. */
export function parseResponse(text: string, method = 'GET') {
  const match = /^HTTP\/1\.1 (\d{3}) .*\r\n([^]*?)\r\n\r\n/.exec(text);
  if (!match) return undefined;
  const [{ length: start }, code, lines = ''] = match;
  const pairs = lines.split('\r\n').map((line): [name: string, value: string] =>
    [line.replace(/:.*/, ''), line.replace(/.*?:/, '')]);
  const headers = Object.fromEntries(new Headers(pairs)); // With names in lower case.
  const status = Number(code);
  const hasNoBody = method === 'HEAD' || [101, 204, 304].includes(status);
  const end = start + (hasNoBody ? 0 : Number(headers['content-length'] ?? Infinity));
  if (end > text.length) return undefined;
  return { status, headers, body: text.slice(start, end), rest: text.slice(end) };
}

/** Sends bytes. Resolves with the response once the server has closed or upgraded. */
export async function exchange(to: number | string, bytes: string) {
  const { socket, received } = collect(to, bytes);
  const parse = () => parseResponse(received(), bytes.split(' ')[0]);
  socket.on('data', () => parse()?.status === 101 && socket.destroy());
  await once(socket, 'close');
  return parse() ?? assert.fail(`This is no response: ${received()}`);
}

type Changes = Record<string, string | undefined>;
/** A request with headers that are changed or, if undefined, left out, or another request line. */
export function request(target: string, changes: Changes = {}): string {
  const { method = 'GET', version = '1.1', ...headers } = changes;
  const all = Object.entries({ Host: 'dante.example', Connection: 'close', ...headers });
  const lines = all.map(([name, value]) => (value === undefined ? '' : `${name}: ${value}\r\n`));
  return `${method} ${target} HTTP/${version}\r\n${lines.join('')}\r\n`;
}

/** A handshake (RFC 6455 section 1.2), with the same changes. */
export function handshake(target = '/ws', changes: Changes = {}): string {
  return request(target, {
    Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', ...changes,
  });
}

/** Opens the stream at a `ws:` URL. `opened` also resolves if the handshake has failed. */
export function openReader(url: string, messages: string[] = []) {
  const socket = new WebSocket.Client(url);
  socket.on('message', ({ data }) => {
    if (typeof data === 'string') messages.push(data); // Else it is a sign of life.
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', ({ code, reason }) => resolve({ code, reason }));
  });
  const opened = Promise.race([new Promise<void>((resolve) => socket.on('open', resolve)), closed]);
  return { socket, messages, opened, closed };
}

/** Asks `condition` until its answer is truthy, and returns it. Throws after `timeoutMs` ms. */
export async function until<T>(condition: () => T | Promise<T>, what: string, timeoutMs = 30_000) {
  const deadline = process.uptime() + timeoutMs / 1000; // A fake clock does not change it.
  for (; process.uptime() < deadline; await sleep(5)) {
    const answer = await condition();
    if (answer) return answer;
  }
  throw new Error(`Waited ${timeoutMs} ms for ${what}.`);
}
