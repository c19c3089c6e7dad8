// @ts-check
/** How to ask: one request or handshake, on a connection of its own, as a browser sends it. */
const { createHash, randomBytes } = require('node:crypto');
const { once } = require('node:events');
const http = require('node:http');
const http2 = require('node:http2');
const { connect, isIP } = require('node:net');
const tls = require('node:tls');
const zlib = require('node:zlib');

const MAX_BYTES = 16 * 2 ** 20; // Of a body, packed or not.
const OVER_HTTP2 = ' over HTTP/2';
const LIMIT = { maxOutputLength: MAX_BYTES };

/**
 * @typedef {object} Answer
 * @property {number} status 101 also for the 200 of an extended CONNECT (RFC 8441)
 * @property {http.IncomingHttpHeaders} headers
 * @property {string} body
 * @property {string} over '' over HTTP/1.1
 * @property {import('node:stream').Duplex} [socket] after an upgrade
 * @property {string} [accept] what Sec-WebSocket-Accept must be; none over HTTP/2
 */

/** Sends a request, or a handshake with the method UPGRADE. Throws an error with a code.
 * @param {URL} url @param {string} method @param {http.OutgoingHttpHeaders} more
 * @param {number} timeoutMs @returns {Promise<Answer>} */
async function ask(url, method, more, timeoutMs) {
  const isHandshake = method === 'UPGRADE';
  const headers = {
    'User-Agent': 'Mozilla/5.0', 'Accept-Language': 'en', 'Accept-Encoding': 'gzip, deflate, br',
    ...isHandshake && { Origin: url.origin, 'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Extensions': 'permessage-deflate', 'Cache-Control': 'no-cache' },
    ...more,
  };
  /** @type {import('node:net').Socket[]} */
  const sockets = [];
  const exchange = async (/** @type {string[]} */ protocols) => {
    const socket = open(url, protocols);
    sockets.push(socket.on('error', () => {})); // The first one arrives below.
    await once(socket, 'encrypted' in socket ? 'secureConnect' : 'connect');
    const isH2 = 'alpnProtocol' in socket && socket.alpnProtocol === 'h2';
    if (!isH2) return askOverHttp1(socket, url, method, headers);
    return askOverHttp2(socket, url, method, headers)
      .catch((error) => { throw Object.assign(error, { over: OVER_HTTP2 }); });
  };
  const late = Object.assign(new Error(`no complete response within ${timeoutMs / 1000} s`),
    { code: 'TIMEOUT' });
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const timeout = new Promise((_, reject) => (timer = setTimeout(reject, timeoutMs, late)));
  // A host that offers HTTP/2 need not offer WebSockets there.
  const answer = exchange(['h2', 'http/1.1']).then((first) => first ?? exchange(['http/1.1']));
  try {
    return /** @type {Answer} */ (await Promise.race([answer, timeout]));
  } catch (error) {
    for (const socket of sockets) socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** @param {URL} url @param {string[]} ALPNProtocols */
function open({ protocol, hostname, port }, ALPNProtocols) {
  const host = hostname.replace(/^\[|\]$/g, '');
  const isSecure = protocol === 'https:';
  const to = { host, port: Number(port) || (isSecure ? 443 : 80), autoSelectFamily: true };
  if (!isSecure) return connect(to); // Without autoSelectFamily, Node 18 tries ::1 only.
  return tls.connect({ ...to, ALPNProtocols, ...!isIP(host) && { servername: host } });
}

/** @param {import('node:net').Socket} socket @param {URL} url @param {string} method
 * @param {http.OutgoingHttpHeaders} more @returns {Promise<Answer>} */
async function askOverHttp1(socket, url, method, more) {
  const isHandshake = method === 'UPGRADE';
  const key = randomBytes(16).toString('base64');
  const headers = {
    Host: url.host, Connection: isHandshake ? 'Upgrade' : 'keep-alive',
    ...isHandshake && { Upgrade: 'websocket', 'Sec-WebSocket-Key': key }, ...more,
  };
  const request = http.request({ path: url.pathname + url.search, headers,
    method: isHandshake ? 'GET' : method, createConnection: () => socket });
  // Node.js takes a 101 for an upgrade only if it has both of its headers.
  request.on('information', ({ statusCode }) => {
    if (statusCode === 101) request.destroy(new Error('101 without Upgrade and Connection'));
  }).on('error', () => {}).end();
  const events = [once(request, 'response'), once(request, 'upgrade')];
  const [response, upgraded, head] = await Promise.race(events);
  const { statusCode: status, headers: came } = response;
  const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'; // RFC 6455 section 1.3.
  const accept = createHash('sha1').update(key + guid).digest('base64');
  if (upgraded) {
    upgraded.on('error', () => {}).unshift(head); // After an error it closes.
    return { status, headers: came, body: '', over: '', socket: upgraded, accept };
  }
  const body = await read(response, came['content-encoding']);
  socket.destroy();
  return { status, headers: came, body, over: '' };
}

/** Resolves with undefined if it is a handshake, and the host offers none over HTTP/2.
 * @param {import('node:net').Socket} socket @param {URL} url @param {string} method
 * @param {http.OutgoingHttpHeaders} more @returns {Promise<Answer | undefined>} */
async function askOverHttp2(socket, url, method, { Connection: _, ...headers }) {
  const isHandshake = method === 'UPGRADE';
  const session = http2.connect(url.origin, { createConnection: () => socket });
  const [settings] = await once(session.on('error', () => {}), 'remoteSettings');
  if (isHandshake && !settings.enableConnectProtocol) return void session.destroy();
  const target = { ':path': url.pathname + url.search, ':scheme': 'https', ':authority': url.host };
  const extended = { ':method': 'CONNECT', ':protocol': 'websocket', ...target, ...headers };
  const stream = isHandshake ? session.request(extended, { endStream: false })
    : session.request({ ':method': method, ...target, ...headers });
  stream.on('error', () => {}).on('close', () => session.destroy());
  const closed = once(stream, 'close').then(() => { throw new Error('no response on a stream'); });
  const [came] = await Promise.race([once(stream, 'response'), closed]);
  const status = Number(came[':status']);
  const answer = { headers: came, over: OVER_HTTP2 };
  if (isHandshake && status === 200) return { ...answer, status: 101, body: '', socket: stream };
  const body = await read(stream, came['content-encoding']);
  stream.destroy();
  return { ...answer, status, body };
}

/** Reads a body, and unpacks it. @param {AsyncIterable<Buffer>} stream @param {string} [coding] */
async function read(stream, coding = '') {
  /** @type {Buffer[]} */
  const chunks = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > MAX_BYTES) throw new Error(`a body of more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  if (size === 0) return ''; // As of a 304.
  if (/^(x-)?gzip$/i.test(coding)) return `${zlib.gunzipSync(bytes, LIMIT)}`;
  if (/^br$/i.test(coding)) return `${zlib.brotliDecompressSync(bytes, LIMIT)}`;
  if (!/^deflate$/i.test(coding)) return `${bytes}`;
  // Some hosts leave out the header of zlib (RFC 1950 section 2.2).
  const isRaw = ((bytes[0] ?? 0) & 15) !== 8;
  return `${isRaw ? zlib.inflateRawSync(bytes, LIMIT) : zlib.inflateSync(bytes, LIMIT)}`;
}

/** Collects when what comes on a stream; `code` is 0 until it ends.
 * @param {import('node:stream').Duplex} socket */
function follow(socket) {
  const openedMs = performance.now();
  const counts = { messages: 0, longestMs: 0, firstMs: Infinity, code: 0 };
  const reader = { socket, openedMs, lastMs: openedMs, ...counts };
  let bytes = Buffer.alloc(0); // Never more than a chunk, and the start of a frame.
  let left = 0; // How many bytes of the current message are still to come.
  socket.on('close', () => (reader.code ||= 1006)).on('data', (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    for (;;) {
      const skipped = Math.min(left, bytes.length);
      [bytes, left] = [bytes.subarray(skipped), left - skipped];
      // Frames of a server are not masked (RFC 6455 section 5.2).
      const [first = 0, second = 0] = bytes;
      const isClose = first === 0x88;
      const short = second & 127;
      const start = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (bytes.length < start + (isClose ? Math.min(short, 2) : 0)) return;
      const size = Math.min(start - 2, 6); // Of the length: 48 bits are enough.
      left = start + (size ? bytes.readUIntBE(start - size, size) : short);
      const nowMs = performance.now();
      reader.longestMs = Math.max(reader.longestMs, nowMs - reader.lastMs);
      reader.lastMs = nowMs;
      // A code has two bytes; a close with one is an error of the protocol.
      if (isClose) reader.code ||= [1005, 1002][short] ?? bytes.readUInt16BE(start);
      if ((first & 15) === 1) reader.messages += 1;
      if ((first & 15) < 3) reader.firstMs = Math.min(reader.firstMs, nowMs);
    }
  });
  return reader;
}

module.exports = { ask, follow };
