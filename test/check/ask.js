// @ts-check
/** How to ask: one request or handshake, on a connection of its own, as a browser sends it. */
const { createHash, randomBytes } = require('node:crypto');
const { once } = require('node:events');
const http = require('node:http');
const http2 = require('node:http2');
const { connect, isIP } = require('node:net');
const { setTimeout: sleep } = require('node:timers/promises');
const tls = require('node:tls');
const zlib = require('node:zlib');

const MAX_BYTES = 16 * 2 ** 20; // Of a body, packed or not.
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'; // RFC 6455 section 1.3.
const OVER_HTTP2 = ' over HTTP/2';

/** @typedef {http.OutgoingHttpHeaders} Headers
 * @typedef {object} Answer
 * @property {number} status 101 also for the 200 of an extended CONNECT (RFC 8441)
 * @property {http.IncomingHttpHeaders} headers @property {string} body
 * @property {import('node:stream').Duplex} [socket] open after an upgrade
 * @property {string} [accept] what Sec-WebSocket-Accept must be over HTTP/1.1
 * @property {string} over '' over HTTP/1.1 */

/** Sends a request, or a handshake with the method UPGRADE. Throws an error with a code.
 * @param {URL} url @param {string} method @param {Headers} more @param {number} timeoutMs
 * @returns {Promise<Answer>} */
function ask(url, method, more, timeoutMs) {
  const headers = {
    'User-Agent': 'Mozilla/5.0', 'Accept-Language': 'en', 'Accept-Encoding': 'gzip, deflate, br',
    ...method === 'UPGRADE' && { Origin: url.origin, 'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Extensions': 'permessage-deflate', 'Cache-Control': 'no-cache' },
    ...more,
  };
  const exchange = async () => {
    const socket = await open(url, ['h2', 'http/1.1']);
    const isHttp2 = 'alpnProtocol' in socket && socket.alpnProtocol === 'h2';
    if (!isHttp2) return askOverHttp1(socket, url, method, headers);
    const answer = await askOverHttp2(socket, url, method, headers)
      .catch((error) => { throw Object.assign(error, { over: OVER_HTTP2 }); });
    // A host that speaks HTTP/2 need not offer WebSockets there.
    return answer ?? askOverHttp1(await open(url, ['http/1.1']), url, method, headers);
  };
  const late = sleep(timeoutMs).then(() => {
    const error = new Error(`no complete response within ${timeoutMs / 1000} s`);
    throw Object.assign(error, { code: 'TIMEOUT' });
  });
  return Promise.race([exchange(), late]);
}

/** @param {URL} url @param {string[]} ALPNProtocols */
async function open({ protocol, hostname, port }, ALPNProtocols) {
  const isSecure = protocol === 'https:';
  const host = hostname.replace(/^\[|\]$/g, '');
  // Without autoSelectFamily, Node 18 tries ::1 only.
  const to = { host, port: Number(port) || (isSecure ? 443 : 80), autoSelectFamily: true };
  const name = isIP(host) ? {} : { servername: host };
  const socket = isSecure ? tls.connect({ ...to, ...name, ALPNProtocols }) : connect(to);
  await once(socket, isSecure ? 'secureConnect' : 'connect');
  return socket.on('error', () => {}); // Whoever uses it learns of it.
}

/** @param {import('node:net').Socket} socket @param {URL} url @param {string} method
 * @param {Headers} more @returns {Promise<Answer>} */
async function askOverHttp1(socket, url, method, more) {
  const isHandshake = method === 'UPGRADE';
  const key = randomBytes(16).toString('base64');
  const upgrade = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Key': key };
  const request = http.request({
    method: isHandshake ? 'GET' : method, path: url.pathname + url.search,
    headers: { Host: url.host, ...isHandshake ? upgrade : { Connection: 'keep-alive' }, ...more },
    createConnection: () => socket,
  });
  request.on('error', () => {}).end(); // The first one arrives below.
  const events = [once(request, 'response'), once(request, 'upgrade')];
  const [response, upgraded, head] = await Promise.race(events);
  upgraded?.unshift(head);
  const body = upgraded ? '' : await read(response, response.headers);
  const accept = createHash('sha1').update(key + GUID).digest('base64');
  const { statusCode: status, headers } = response;
  return { status, headers, body, over: '', accept, socket: upgraded ?? socket.destroy() };
}

/** Resolves with undefined if it is a handshake, and the host offers none over HTTP/2.
 * @param {import('node:net').Socket} socket @param {URL} url @param {string} method
 * @param {Headers} more @returns {Promise<Answer | undefined>} */
async function askOverHttp2(socket, url, method, { Connection: _, ...more }) {
  const isHandshake = method === 'UPGRADE';
  const session = http2.connect(url.origin, { createConnection: () => socket });
  const [settings] = await once(session.on('error', () => {}), 'remoteSettings');
  if (isHandshake && !settings.enableConnectProtocol) return void session.destroy();
  const stream = session.request({
    ':method': isHandshake ? 'CONNECT' : method, ...isHandshake && { ':protocol': 'websocket' },
    ':scheme': 'https', ':authority': url.host, ':path': url.pathname + url.search, ...more,
  }, { endStream: !isHandshake });
  // At once, an error of the protocol ends Node.js: an assertion of its node_http2.cc fails.
  stream.on('error', () => {}).on('close', () => setImmediate(() => session.destroy()));
  const [headers] = await once(stream, 'response');
  const isOpen = isHandshake && headers[':status'] === 200;
  const body = isOpen ? '' : await read(stream, headers);
  const status = isOpen ? 101 : headers[':status'];
  return { status, headers, body, over: OVER_HTTP2, socket: stream };
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
  if (/gzip/i.test(coding)) return `${zlib.gunzipSync(bytes, limit)}`;
  if (/deflate/i.test(coding)) return `${zlib.inflateSync(bytes, limit)}`;
  return `${/br/i.test(coding) ? zlib.brotliDecompressSync(bytes, limit) : bytes}`;
}

/** Collects frames until the stream ends; `code` is 0 until then.
 * @param {import('node:stream').Duplex} socket */
function follow(socket) {
  const openedMs = performance.now();
  const counts = { messages: 0, binaries: 0, longestMs: 0, firstMs: Infinity, code: 0 };
  const reader = { socket, openedMs, lastMs: openedMs, ...counts };
  let bytes = Buffer.alloc(0);
  let left = 0; // How much of the current frame is still to come: it is counted, but not kept.
  socket.on('close', () => (reader.code ||= 1006)).on('data', (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    for (;;) {
      const skipped = Math.min(left, bytes.length);
      [bytes, left] = [bytes.subarray(skipped), left - skipped];
      // Frames of a server are not masked (RFC 6455 section 5.2).
      const [first = 0, short = 0] = bytes;
      const start = short < 126 ? 2 : short === 126 ? 4 : 10;
      const isClose = first === 0x88;
      if (bytes.length < start + (isClose ? Math.min(short, 2) : 0)) return;
      const size = Math.min(start - 2, 6); // Of the length: 48 bits are enough.
      left = start + (size ? bytes.readUIntBE(start - size, size) : short);
      const nowMs = performance.now();
      reader.longestMs = Math.max(reader.longestMs, nowMs - reader.lastMs);
      reader.lastMs = nowMs;
      // A code has two bytes; a close with one byte breaks the protocol.
      if (isClose) reader.code ||= [1005, 1002][short] ?? bytes.readUInt16BE(start);
      if ((first & 15) === 1) reader.messages += 1;
      if ((first & 15) === 2 && left > start) reader.binaries += 1;
      if ((first & 15) < 3) reader.firstMs = Math.min(reader.firstMs, nowMs);
    }
  });
  return reader;
}

module.exports = { ask, follow };
