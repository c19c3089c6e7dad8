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
// Of a 101, and what a browser wants to find there for that key (RFC 6455 section 1.3).
const FIELDS = ['upgrade', 'connection', 'sec-websocket-accept', 'sec-websocket-protocol',
  'sec-websocket-extensions'];
const RIGHT = /^\["websocket","[^"]*\bupgrade\b[^"]*","[^"]*",null,(null|"permessage-deflate.*)]$/i;
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

/** Resolves with what comes within `timeoutMs`. The status is 101 also for the 200 of an extended
 * CONNECT (RFC 8441), and is the code of an error that prevents a complete response.
 * @param {URL} url @param {boolean} isHandshake @param {{}} more @param {number} timeoutMs */
function ask(url, isHandshake, more, timeoutMs) {
  const headers = { 'User-Agent': 'Mozilla/5.0', 'Accept-Language': 'en',
    'Accept-Encoding': 'gzip, deflate, br',
    ...isHandshake && { Origin: url.origin, ...HANDSHAKE }, ...more };
  const exchange = async () => await askOverHttp2(url, isHandshake, headers) ??
    askOverHttp1(url, isHandshake, headers);
  const late = sleep(timeoutMs).then(() =>
    Promise.reject(new Error(`no complete response within ${timeoutMs / 1000} s`)));
  return Promise.race([exchange(), late]).catch(({ code = 'Error', message }) =>
    ({ status: code, headers: {}, body: message, socket: undefined }));
}

/** @param {URL} url @param {boolean} isHandshake @param {{}} headers */
async function askOverHttp1(url, isHandshake, headers) {
  const connection = isHandshake ? UPGRADE : { Connection: 'keep-alive' };
  const { request: send } = url.protocol === 'https:' ? https : http;
  const request = send(url, { ...SOCKET, headers: { ...connection, ...headers } });
  request.on('error', () => {}).end(); // The first one arrives below.
  const events = [once(request, 'response'), once(request, 'upgrade')];
  const [response, socket, head] = await Promise.race(events);
  socket?.on('error', () => {}).unshift(head);
  const { statusCode: status, headers: came } = response;
  const fields = JSON.stringify(FIELDS.map((name) => came[name]));
  const isRight = came['sec-websocket-accept'] === ACCEPT && RIGHT.test(fields);
  if (status === 101 && !isRight) throw new Error(`101 with ${fields}`);
  return { status, headers: came, body: socket ? '' : await read(response, came), socket };
}

/** Resolves with undefined if the host does not choose HTTP/2, or offers no handshake over it.
 * @param {URL} url @param {boolean} isHandshake @param {{}} headers */
async function askOverHttp2(url, isHandshake, headers) {
  if (url.protocol === 'http:') return undefined;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const servername = isIP(host) ? '' : host;
  const to = { ...SOCKET, host, servername, ALPNProtocols: ['h2', 'http/1.1'] };
  const socket = tls.connect(Number(url.port) || 443, to);
  await once(socket, 'secureConnect');
  if (socket.alpnProtocol !== 'h2') return void socket.destroy();
  const session = http2.connect(url, { createConnection: () => socket }).on('error', () => {});
  const [settings] = await once(session, 'remoteSettings');
  if (isHandshake && !settings.enableConnectProtocol) return void session.destroy();
  const method = isHandshake && { ':method': 'CONNECT', ':protocol': 'websocket' };
  const stream = session.request({ ...method, ':path': url.pathname + url.search, ...headers });
  // At once, an error of the protocol ends Node.js: an assertion of its node_http2.cc fails.
  stream.on('error', () => {}).on('close', () => setImmediate(() => session.destroy()));
  const [came] = await once(stream, 'response');
  const isOpen = isHandshake && came[':status'] === 200;
  const body = isOpen ? '' : await read(stream, came);
  return { status: isOpen ? 101 : came[':status'], headers: came, body, socket: stream };
}

/** Reads a body, and unpacks it.
 * @param {AsyncIterable<Buffer>} stream @param {http.IncomingHttpHeaders} headers */
async function read(stream, { 'content-encoding': coding = '' }) {
  let packed = '';
  for await (const chunk of stream) {
    packed += chunk.toString('latin1');
    if (packed.length > MAX_BYTES) throw new Error(`a body of more than ${MAX_BYTES} bytes`);
  }
  const bytes = Buffer.from(packed, 'latin1');
  const limit = { maxOutputLength: MAX_BYTES };
  if (!packed) return ''; // As of a 304.
  if (/br/i.test(coding)) return `${zlib.brotliDecompressSync(bytes, limit)}`;
  return `${/gzip|deflate/i.test(coding) ? zlib.unzipSync(bytes, limit) : bytes}`;
}

/** Counts the frames of a server until the stream ends; `code` is 0 until then.
 * @param {import('node:stream').Duplex} socket */
function follow(socket) {
  const openedMs = performance.now();
  const reader = { socket, openedMs, lastMs: openedMs, texts: 0, binaries: 0, code: 0 };
  let bytes = Buffer.alloc(0);
  socket.on('close', () => (reader.code ||= 1006)).on('data', (chunk) => {
    reader.lastMs = performance.now();
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.length > MAX_BYTES) socket.destroy();
    for (;;) {
      // Frames of a server are not masked (RFC 6455 section 5.2).
      const [first = 0, short = 0] = bytes;
      const start = short < 126 ? 2 : short === 126 ? 4 : 10;
      const long = bytes.subarray(2, start).reduce((sum, byte) => sum * 256 + byte, 0);
      const end = start + (start === 2 ? short : long);
      if (bytes.length < end) return;
      if (first === 0x88) reader.code ||= end < start + 2 ? 1005 : bytes.readUInt16BE(start);
      if ((first & 15) === 1) reader.texts += 1;
      if ((first & 15) === 2 && end > start) reader.binaries += 1;
      bytes = bytes.subarray(end);
    }
  });
  return reader;
}

module.exports = { ask, follow };
