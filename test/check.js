// @ts-check
/** Tries a host as a browser does, and says what is wrong. It needs nothing but Node.js. */
const { once } = require('node:events');
const http = require('node:http');
const https = require('node:https');
const { setTimeout: sleep } = require('node:timers/promises');
const { inspect, parseArgs } = require('node:util');

const SILENT_MS = 8000; // The server is never silent for more than 5 s.
// A message that the server refuses with 1009, masked with zeros (RFC 6455 section 5.2).
const TOO_LONG = Buffer.from([129, 254, 4, 1, 0, 0, 0, 0, ...Buffer.alloc(1025, 'x')]);

/** @type {[what: string, method: string, name: string, more: {}, wanted: RegExp][]} */
const REQUESTS = [
  ['handshake', 'UPGRADE', 'ws', {}, /^101/],
  ['firefox', 'UPGRADE', 'ws', { Connection: 'keep-alive, Upgrade' }, /^101/],
  ['origin', 'UPGRADE', 'ws', { Origin: 'https://stranger.example' }, /^403 Pages of https:/],
  ['query', 'UPGRADE', 'ws?from=x', {}, /^400 from is "x"/],
  ['error', 'GET', 'missing.js', {}, /^404 Not found/],
  ['error', 'GET', 'ws', {}, /^426 A WebSocket needs/],
];

/** By what was tried and what came; the first match counts. @type {[RegExp, string][]} */
const CAUSES = [
  [/^many| 429|^pool 503/, 'The host limits a client: allow more. In IIS, Windows 10 serves ten.'],
  [/^pool/, 'The host reuses closed connections: see keepAliveTimeout; in IIS, src/iisnode.ts.'],
  [/ (ECONNREFUSED|E.*NOTFOUND|EAI_AGAIN)/, 'Nothing answers there: start it, or try another.'],
  [/CERT|ERR_TLS|UNABLE_TO/, 'Node.js trusts no such certificate, or not for this name. Is it ' +
    'yours? Set NODE_EXTRA_CA_CERTS to its file. Else renew it, or send the intermediate ones.'],
  [/ (ERR_SSL|EPROTO)|^page (HPE_|ECONN|400 .*HTTPS)/, 'Not that protocol: try http or https.'],
  [/^(?!handshake)\w+ (TIMEOUT|ECONN)/, 'It hangs, or hangs up: see its log, try --timeout 60.'],
  [/^page 3/, 'The host redirects: check that address instead. A login must let dante through.'],
  [/ 401/, 'The host asks for a password: check http://USER:PASSWORD@HOST/.'],
  [/^page 404 Not found\. The/, 'Correct the path, or let the proxy remove the folder from it.'],
  [/ 50\d/, 'The host reaches no server, or limits requests. In IIS: A blank 500 in README.md.'],
  [/^page/, 'That is not the page: correct the address, or what the host maps to it.'],
  [/^slash/, 'The address lacks its slash: add it, and let the host redirect to it.'],
  [/^file/, 'The host answers here itself, or changes the headers: pass this path on as it is.'],
  [/^handshake 403 Pages/, 'The server sees another Host or Origin than the browser sends. Pass ' +
    'on both, with the port; in nginx, proxy_set_header Host $http_host. Or set ALLOWED_ORIGINS.'],
  [/^handshake 426 .*1\.0/, 'A proxy uses HTTP/1.0: in nginx, proxy_http_version 1.1.'],
  [/^handshake 426/, 'A proxy drops Upgrade, Connection or a Sec-WebSocket header: pass them on.'],
  [/^handshake/, 'The host passes no handshakes on. In IIS, turn its own WebSocket module off.'],
  [/^firefox/, 'The host loses Upgrade next to keep-alive: set it. In IIS, keep src/iisnode.ts.'],
  [/^origin 101/, 'The host drops or changes Origin, so any site can open the stream: pass it on.'],
  [/^query (101|404)/, 'The host drops the query, and pages that return start again: pass it on.'],
  [/^folder/, 'Anybody can read this: pass its path on. In IIS, web.config must be in force.'],
  [/^max/, 'Set max in public/index.html to what the stream has. If it has no end, remove max.'],
  [/^held/, 'The host holds back what is sent: turn its buffering and compression off.'],
  [/^silence/, 'The host closes a connection that is silent for so long. Allow more than 5 s: in ' +
    'nginx, proxy_read_timeout 30s; in HAProxy, timeout tunnel 30s.'],
  [/^life/, 'The host closes a connection after this time, although messages come: allow more.'],
  [/^early/, 'The server ended the stream too early: see its log.'],
  [/^/, 'The host replaces responses to errors: pass them on. In nginx, proxy_intercept_errors ' +
    'off; in IIS, <httpErrors existingResponse="PassThrough" />.'],
];

let page = new URL('http://localhost/');
let script = page; // The page's script; the stream is next to it.
let html = '';
let total = 0; // How many messages the stream has; 0 if it has no end.
let timeoutMs = 0;
let whole = false; // Whether to wait for the end of the stream.

/** An error that says what was seen, and the likely cause with its remedy.
 * @param {string} what @param {string} seen @param {string} [came] */
function fault(what, seen, came = '') {
  const [, cause] = CAUSES.find(([pattern]) => pattern.test(`${what} ${came}`)) ?? [];
  return new Error(`✖\n    Seen: ${seen}\n    ${cause}`);
}

/** Sends a request, or a handshake with the method UPGRADE. Throws unless `wanted` matches the
 * status and the body that come. `socket` is null once Node.js has closed it after a body.
 * @param {string} what @param {string} method @param {string | URL} name
 * @param {http.OutgoingHttpHeaders} more @param {RegExp} wanted */
async function ask(what, method, name, more, wanted) {
  const url = new URL(name, script);
  const handshake = method === 'UPGRADE' && {
    Origin: page.origin, Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', // Of RFC 6455 section 1.2.
    'Sec-WebSocket-Extensions': 'permessage-deflate', 'Cache-Control': 'no-cache',
  };
  const headers = { 'User-Agent': 'Mozilla/5.0', 'Accept-Language': 'en', ...handshake, ...more };
  const signal = AbortSignal.timeout(timeoutMs);
  const network = { signal, agent: false, autoSelectFamily: true }; // Else Node 18 tries ::1 only.
  const request = (url.protocol === 'https:' ? https : http).request(url, { headers, ...network });
  const line = [method, url.pathname + url.search, ...Object.keys(more)].join(' ');
  const { response, body } = await receive(request).catch(({ code, message }) => {
    const late = signal.aborted && `no complete response within ${timeoutMs / 1000} s`;
    throw fault(what, `${line}: ${late || message || code}`, late ? 'TIMEOUT' : code);
  });
  const { statusCode: status, headers: { location }, socket } = response;
  const match = wanted.exec(`${status} ${body}`);
  const sentence = body.replace(/(<[^>]*>|\s)+/g, ' ').trim().slice(0, 150);
  const seen = `${line}: ${status} ${inspect(location ?? sentence)}`;
  if (!match) throw fault(what, seen, `${status} ${sentence}`);
  return { match, body, headers: response.headers, socket };
}

/** Resolves with a response and its body. After an upgrade, the socket is still to be read.
 * @typedef {[http.IncomingMessage, import('node:net').Socket?, Buffer?]} Came for an event
 * @param {http.ClientRequest} request */
async function receive(request) {
  request.on('error', () => {}).end(); // The first one arrives below.
  const events = [once(request, 'response'), once(request, 'upgrade')];
  const [response, socket, head] = /** @type {Came} */ (await Promise.race(events));
  socket?.on('error', () => {}).unshift(head); // After an error it closes.
  return { response, body: socket ? '' : `${Buffer.concat(await response.toArray())}` };
}

/** Opens the stream, and collects when what comes; `code` is 0 until it ends. */
async function open() {
  const { socket } = await ask('handshake', 'UPGRADE', 'ws', {}, /^101/);
  const openedMs = performance.now();
  const counts = { messages: 0, longestMs: 0, firstMs: Infinity, code: 0 };
  const reader = { socket, openedMs, lastMs: openedMs, ...counts };
  let bytes = Buffer.alloc(0);
  socket.on('close', () => (reader.code ||= 1006)).on('data', (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    for (;;) {
      // Frames of a server are not masked (RFC 6455 section 5.2).
      const [first = 0, short = 0] = bytes;
      const start = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (bytes.length < start) return;
      const size = Math.min(start - 2, 6); // Of the length: 48 bits are enough.
      const end = start + (size ? bytes.readUIntBE(start - size, size) : short);
      if (bytes.length < end) return;
      const nowMs = performance.now();
      reader.longestMs = Math.max(reader.longestMs, nowMs - reader.lastMs);
      reader.lastMs = nowMs;
      if (first === 0x88) reader.code ||= end > start ? bytes.readUInt16BE(start) : 1005;
      if ((first & 15) === 1 && (reader.messages += 1) === 1) reader.firstMs = nowMs;
      bytes = bytes.subarray(end);
    }
  });
  return reader;
}

/** Waits until the stream ends, or for `maxMs`, and resolves with what was seen. Throws if it is
 * silent for too long, is cut off, or ends too early.
 * @param {Awaited<ReturnType<typeof open>>} reader @param {number} maxMs */
async function watch(reader, maxMs) {
  const endMs = performance.now() + maxMs;
  for (;; await sleep(2)) {
    const { code, messages, openedMs, lastMs } = reader;
    const nowMs = performance.now();
    const longestMs = Math.max(reader.longestMs, nowMs - lastMs);
    const [age, quiet] = [nowMs - openedMs, longestMs].map(Math.round);
    const seen = `${messages} messages in ${age} ms, quiet for ${quiet} ms, code ${code || 'none'}`;
    if (longestMs > SILENT_MS) throw fault('held', seen);
    if (code === 1006 && nowMs - openedMs < 500) throw fault('handshake', seen);
    if (code === 1006) throw fault(longestMs > reader.longestMs ? 'silence' : 'life', seen);
    const isComplete = code === 1000 && (!total || messages === total);
    if (code && code !== 1009 && !isComplete) throw fault('early', seen);
    if (code || nowMs > endMs) return seen;
  }
}

/** The most fundamental first: the first failure explains those that would follow.
 * @type {[name: string, check: () => Promise<string | void>][]} */
const CHECKS = [
  ['the page and its script are there', async () => {
    const wanted = /^200 [^]*<script\b[^>]*\ssrc="([^"]*client\.js)"/i;
    const { body, match: [, src = ''] } = await ask('page', 'GET', page, {}, wanted);
    [html, script] = [body, new URL(src, page)];
    const what = /(\/|\.js)$/i.test(page.pathname) ? 'file' : 'slash';
    await ask(what, 'GET', script, {}, /^200 (?!\s*<)/); // It is no page.
  }],
  ['a browser can open the stream, and gets errors as they are', async () => {
    for (const request of REQUESTS) (await ask(...request)).socket?.destroy();
  }],
  ['nothing else of the folder is served', async () => {
    const names = 'debug ../package.json ../web.config ../dist/server.js ../iisnode/index.html';
    for (const name of names.split(' ')) await ask('folder', 'GET', name, {}, /^(?!200)/);
  }],
  ['page and stream have as many messages', async () => {
    const [, max = 0] = /<progress\b[^>]*\smax="(\d+)"/i.exec(html) ?? [];
    const { body } = await ask('query', 'UPGRADE', 'ws?from=x', {}, /^400/);
    total = Number(/ from 0 to (\d+)\./.exec(body)?.[1] ?? 0);
    if (Number(max) !== total) throw fault('max', `the page has ${max}, the stream ${total}`);
  }],
  ['what is sent arrives at once, and silence ends no stream', async () => {
    const [quiet, busy] = await Promise.all([open(), open()]);
    busy.socket.write(TOO_LONG);
    const seen = await watch(busy, timeoutMs);
    if (!busy.code) throw fault('held', `no close with 1009: ${seen}`); // 1000 if it is short.
    const story = await watch(quiet, whole && total ? Infinity : SILENT_MS);
    // Its end pushes through what was held back for the other one.
    if (quiet.firstMs - busy.firstMs > 1000) throw fault('held', 'the first message is late');
    quiet.socket.destroy();
    return story;
  }],
  ['60 requests, 20 clients that vanish, and a pause do no harm to later requests', async () => {
    for (const pauseMs of [0, 0, 0, 0, 0, 0, 0, 0, 0, 6500]) {
      await sleep(pauseMs); // Longer than Node.js keeps idle connections by default.
      await Promise.all(REQUESTS.map(async ([, ...request]) => {
        (await ask('pool', ...request)).socket?.destroy();
      }));
    }
  }],
  ['the files of the page are there, with their headers, and 304 follows an ETag', async () => {
    const names = html.matchAll(/<(?:link|script)\b[^>]*\s(?:href|src)="([^":]+)"/gi);
    for (const [, name = ''] of [[], ...names]) { // Without a name, it is the page.
      const url = new URL(name, page);
      const { headers } = await ask('file', 'GET', url, {}, /^200/);
      const { etag = '', 'cache-control': cache, 'content-security-policy': csp } = headers;
      if (cache !== 'no-cache' || !csp) throw fault('file', JSON.stringify({ name, cache, csp }));
      await ask('file', 'GET', url, { 'If-None-Match': etag }, /^304/);
    }
  }],
  ['50 readers at once can open the stream', async () => {
    const readers = Array.from({ length: 50 }, () => ask('many', 'UPGRADE', 'ws', {}, /^101/));
    await Promise.all(readers);
  }],
];

async function main() {
  const { positionals: [address = '', ...others], values } = parseArgs({
    allowPositionals: true,
    options: { whole: { type: 'boolean' }, timeout: { type: 'string', default: '10' } },
  });
  timeoutMs = Number(values.timeout) * 1000;
  whole = values.whole ?? false;
  const isUrl = /^https?:\/\/[^/]/i.test(address);
  if (!isUrl || others.length > 0 || !(timeoutMs > 0 && timeoutMs < 1e9)) {
    throw new Error('Usage: npm run check -- http://HOST/PATH [--whole] [--timeout SECONDS]');
  }
  page = script = new URL(address);
  for (const [name, check] of CHECKS) {
    process.stdout.write(`${name}: `);
    console.log(`✔ ${await check() ?? ''}`);
  }
}

void main().catch(({ message }) => {
  process.exitCode = 1;
  console.log(message);
}).finally(() => process.stdout.write('', () => process.exit()));
