// @ts-check
/** How to ask: one GET or handshake, on a connection of its own, as a browser sends it. */
const { once } = require('node:events');
const http = require('node:http');
const http2 = require('node:http2');
const https = require('node:https');
const { isIP } = require('node:net');
const { setTimeout: sleep } = require('node:timers/promises');
const tls = require('node:tls');
const zlib = require('node:zlib');

const MAX_BYTES = 16 * 2 ** 20; // Of a body, packed or not, or of a message.
const SOCKET = { agent: false, autoSelectFamily: true }; // Without it, Node 18 tries ::1 only.
const HANDSHAKE = { 'Cache-Control': 'no-cache', 'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Extensions': 'permessage-deflate' };
// As Firefox sends it: some hosts do not find Upgrade next to keep-alive.
const UPGRADE = { Connection: 'keep-alive, Upgrade', Upgrade: 'websocket',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' };

/** Throws what prevents a complete response within `timeoutMs`. The status is 101 also for the 200
 * of an extended CONNECT (RFC 8441).
 * @param {URL} url @param {boolean} isHandshake @param {{}} more @param {number} timeoutMs */
function ask(url, isHandshake, more, timeoutMs) {
  const headers = { 'User-Agent': 'Mozilla/5.0', 'Accept-Language': 'en',
    'Accept-Encoding': 'gzip, deflate, br',
    ...isHandshake && { Origin: url.origin, ...HANDSHAKE }, ...more };
  const exchange = async () => {
    const session = await openHttp2(url);
    const answer = session && await askOverHttp2(session, url, isHandshake, headers);
    return answer ?? askOverHttp1(url, isHandshake, headers);
  };
  const late = sleep(timeoutMs).then(() => {
    throw new Error(`no complete response within ${timeoutMs / 1000} s`);
  });
  return Promise.race([exchange(), late]);
}

/** Resolves with undefined if the host does not choose HTTP/2. @param {URL} url */
async function openHttp2({ protocol, hostname, port, origin }) {
  if (protocol === 'http:') return undefined;
  const host = hostname.replace(/^\[|\]$/g, '');
  const servername = isIP(host) ? '' : host;
  const ALPNProtocols = ['h2', 'http/1.1'];
  const to = { ...SOCKET, host, servername, port: Number(port) || 443, ALPNProtocols };
  const socket = tls.connect(to);
  await once(socket, 'secureConnect');
  if (socket.alpnProtocol !== 'h2') return void socket.destroy();
  return http2.connect(origin, { createConnection: () => socket }).on('error', () => {});
}

/** @param {URL} url @param {boolean} isHandshake @param {{}} more */
async function askOverHttp1(url, isHandshake, more) {
  const connection = isHandshake ? UPGRADE : { Connection: 'keep-alive' };
  const { request: send } = url.protocol === 'https:' ? https : http;
  const request = send(url, { ...SOCKET, headers: { ...connection, ...more } });
  request.on('error', () => {}).end(); // The first one arrives below.
  const events = [once(request, 'response'), once(request, 'upgrade')];
  const [response, socket, head] = await Promise.race(events);
  socket?.on('error', () => {}).unshift(head);
  const { statusCode: status, headers } = response;
  return { status, headers, body: socket ? '' : await read(response, headers), over: '', socket };
}

/** Resolves with undefined if it is a handshake, and the host offers none over HTTP/2.
 * @param {http2.ClientHttp2Session} session
 * @param {URL} url @param {boolean} isHandshake @param {{}} more */
async function askOverHttp2(session, url, isHandshake, more) {
  const [settings] = await once(session, 'remoteSettings');
  if (isHandshake && !settings.enableConnectProtocol) return void session.destroy();
  const method = isHandshake && { ':method': 'CONNECT', ':protocol': 'websocket' };
  const stream = session.request({ ...method, ':path': url.pathname + url.search, ...more },
    { endStream: !isHandshake });
  // At once, an error of the protocol ends Node.js: an assertion of its node_http2.cc fails.
  stream.on('error', () => {}).on('close', () => setImmediate(() => session.destroy()));
  const [headers] = await once(stream, 'response');
  const isOpen = isHandshake && headers[':status'] === 200;
  const body = isOpen ? '' : await read(stream, headers);
  const status = isOpen ? 101 : headers[':status'];
  return { status, headers, body, over: ' over HTTP/2', socket: stream };
}

/** Reads a body, and unpacks it.
 * @param {AsyncIterable<Buffer>} stream @param {http.IncomingHttpHeaders} headers */
async function read(stream, { 'content-encoding': coding = '' }) {
  const chunks = [];
  let size = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_BYTES) throw new Error(`a body of more than ${MAX_BYTES} bytes`);
  }
  const bytes = Buffer.concat(chunks);
  const limit = { maxOutputLength: MAX_BYTES };
  if (size === 0) return ''; // As of a 304.
  if (/br/i.test(coding)) return `${zlib.brotliDecompressSync(bytes, limit)}`;
  return `${/gzip|deflate/i.test(coding) ? zlib.unzipSync(bytes, limit) : bytes}`;
}

/** Counts the frames of a server until the stream ends; `code` is 0 until then.
 * @param {import('node:stream').Duplex} socket */
function follow(socket) {
  const openedMs = performance.now();
  const counts = { longestMs: 0, firstMs: Infinity, texts: 0, binaries: 0, code: 0 };
  const reader = { socket, openedMs, lastMs: openedMs, ...counts };
  let bytes = Buffer.alloc(0);
  socket.on('close', () => (reader.code ||= 1006)).on('data', (chunk) => {
    const nowMs = performance.now();
    reader.longestMs = Math.max(reader.longestMs, nowMs - reader.lastMs);
    reader.lastMs = nowMs;
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.length > MAX_BYTES) socket.destroy();
    for (;;) {
      // Frames of a server are not masked (RFC 6455 section 5.2).
      const [first = 0, short = 0] = bytes;
      const start = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (bytes.length < start) return;
      const size = Math.min(start - 2, 6); // Of the length: 48 bits are enough.
      const end = start + (size ? bytes.readUIntBE(start - size, size) : short);
      if (bytes.length < end) return;
      if (first === 0x88) reader.code ||= short < 2 ? 1005 : bytes.readUInt16BE(start);
      if ((first & 15) < 3) reader.firstMs = Math.min(reader.firstMs, nowMs);
      if ((first & 15) === 1) reader.texts += 1;
      if ((first & 15) === 2 && end > start) reader.binaries += 1;
      bytes = bytes.subarray(end);
    }
  });
  return reader;
}

module.exports = { ask, follow };
