// @ts-check
/** Tries a host as a browser does, and says what is wrong. It needs nothing but Node.js. */
const { randomBytes } = require('node:crypto');
const { once } = require('node:events');
const http = require('node:http');
const https = require('node:https');
const { setTimeout: sleep } = require('node:timers/promises');
const { inspect, parseArgs } = require('node:util');

const SILENT_MS = 8000; // The server is never silent for more than 5 s.
// Frames of a client, masked with zeros (RFC 6455 section 5.2).
const PING = Buffer.from([137, 128, 0, 0, 0, 0]);
const CLOSE = Buffer.from([136, 128, 0, 0, 0, 0]);
const TOO_LONG = Buffer.from([129, 254, 4, 1, 0, 0, 0, 0, ...Buffer.alloc(1025, 'x')]);

/** @type {[what: string, how: string, name: string, more: {}, status: number, body: RegExp][]} */
const REQUESTS = [
  ['handshake', 'UPGRADE', 'ws', {}, 101, /^$/],
  ['firefox', 'UPGRADE', 'ws', { Connection: 'keep-alive, Upgrade' }, 101, /^$/],
  ['origin', 'UPGRADE', 'ws', { Origin: 'https://stranger.example' }, 403, /^Pages of https:/],
  ['query', 'UPGRADE', 'ws?from=x', {}, 400, /^from is "x"/],
  ['error', 'UPGRADE', 'ws', { 'Sec-WebSocket-Version': '8' }, 426, /version 13/],
  ['error', 'GET', 'missing.js', {}, 404, /^Not found/],
  ['error', 'GET', 'ws', {}, 426, /^A WebSocket needs/],
];

/** By what was tried and what came; the first match counts. @type {[RegExp, string][]} */
const CAUSES = [
  [/ (ECONNREFUSED|E.*NOTFOUND|EAI_AGAIN)/, 'Nothing answers there: start it, or try another.'],
  [/ALTNAME/, 'The certificate is for another name: check that one, or renew it.'],
  [/CERT|ERR_TLS|UNABLE_TO/, 'Node.js trusts no such certificate. Is it yours? Set ' +
    'NODE_EXTRA_CA_CERTS to its file. Else renew it, or also send the intermediate ones.'],
  [/ (ERR_SSL|EPROTO)|^page (HPE_|ECONN|400 .*HTTPS)/, 'Not that protocol: try http or https.'],
  [/ECONN/, 'The connection was cut: see the logs of the host and of the server.'],
  [/^many| 429|^pool 503/, 'The host limits a client: allow more. In IIS, Windows 10 serves ten.'],
  [/^(?!handshake|pool)\w+ TIMEOUT/, 'The host is stuck, or slow: try --timeout 60.'],
  [/^page 3/, 'The host redirects: check that address instead. A login must let dante through.'],
  [/ 401/, 'The host asks for a password: check http://USER:PASSWORD@HOST/.'],
  [/^page 404 Not found\. The/, 'The server gets another path: let the proxy remove the folder.'],
  [/ 50[0234]/, 'The host cannot reach the server (start it), or limits requests. In IIS, see ' +
    'A blank 500 in README.md.'],
  [/^page/, 'That is not the page: correct the address, or what the host maps to it.'],
  [/^slash/, 'The address lacks its slash: check {href}/, and let the host redirect to it.'],
  [/^file/, 'The host does not pass this path on to the server, as it does the page.'],
  [/ 403 Pages of (?!OWN)/, 'The host changes Origin, or answers from a cache: let it do neither.'],
  [/ 403 Pages of/, 'The server sees another Host than the browser: pass it on with its port; in ' +
    'nginx, proxy_set_header Host $http_host. Or set ALLOWED_ORIGINS={origin}.'],
  [/^handshake 426 .*1\.0/, 'A proxy uses HTTP/1.0: in nginx, proxy_http_version 1.1.'],
  [/^handshake 426/, 'A proxy drops Upgrade, Connection or a Sec-WebSocket header: pass them on.'],
  [/^handshake/, 'The host passes no handshakes on. In IIS, turn its own WebSocket module off.'],
  [/^firefox/, 'The host loses Upgrade next to keep-alive: set it. In IIS, keep src/iisnode.ts.'],
  [/^origin 101/, 'The host drops or changes Origin, so any site can open the stream: pass it on.'],
  [/^query (101|404)/, 'The host drops the query, and pages that return start again: pass it on.'],
  [/^folder/, 'Anybody can read this: pass its path on. In IIS, web.config must be in force.'],
  [/^max/, 'Set max in public/index.html to what the stream has. If it has no end, remove max.'],
  [/^pool/, 'The host reuses closed connections: see keepAliveTimeout; in IIS, src/iisnode.ts.'],
  [/^held/, 'The host holds back what is sent: turn its buffering and compression off.'],
  [/^silence/, 'The host closes a connection that is silent for so long. Allow more than 5 s: in ' +
    'nginx, proxy_read_timeout 30s; in HAProxy, timeout tunnel 30s.'],
  [/^life/, 'The host closes a connection after this time, although messages come: allow more.'],
  [/^early/, 'The server ended the stream too early, or not at all: see its log.'],
  [/^header/, 'The host changes this file or its headers: leave them as the server sends them.'],
  [/^/, 'The host replaces responses to errors: pass them on. In nginx, proxy_intercept_errors ' +
    'off; in IIS, <httpErrors existingResponse="PassThrough" />.'],
];

let page = new URL('http://localhost/');
let script = page; // The page's script; the stream is next to it.
let html = '';
let total = Infinity; // How many messages the stream has.
let timeoutMs = 0;
let whole = false; // Whether to wait for the end of the stream.
let doing = ''; // The check that runs.

/** An error whose message is the likely cause with its remedy, and whose cause is what was seen.
 * @param {string} what @param {string} cause @param {string} [came] */
function fault(what, cause, came = '') {
  const tried = `${what} ${came.replace(page.origin, 'OWN')}`;
  const [, text = ''] = CAUSES.find(([pattern]) => pattern.test(tried)) ?? [];
  return new Error(text.replace('{href}', page.href).replace('{origin}', page.origin), { cause });
}

/** Sends a request, or a handshake with the method UPGRADE. Throws without a complete response.
 * @typedef {[http.IncomingMessage, import('node:net').Socket?, Buffer?]} Came for an event
 * @param {string} what @param {string | URL} name @param {http.OutgoingHttpHeaders} more */
async function ask(what, name, method = 'GET', more = {}) {
  const url = new URL(name, script);
  const handshake = method === 'UPGRADE' && {
    Origin: page.origin, Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    'Sec-WebSocket-Extensions': 'permessage-deflate', 'Cache-Control': 'no-cache',
  };
  const headers = { 'User-Agent': 'Mozilla/5.0', 'Accept-Language': 'en', ...handshake, ...more };
  const signal = AbortSignal.timeout(timeoutMs);
  const network = { signal, agent: false, autoSelectFamily: true }; // Else Node 18 tries ::1 only.
  const options = { method: handshake ? 'GET' : method, headers, ...network };
  const request = (url.protocol === 'https:' ? https : http).request(url, options);
  const line = `${method} ${url.pathname}${url.search}`;
  try {
    request.on('error', () => {}).end(); // The first one arrives below.
    const events = [once(request, 'response'), once(request, 'upgrade')];
    const [response, socket, head] = /** @type {Came} */ (await Promise.race(events));
    socket?.on('error', () => {}).unshift(head); // After an error it closes.
    const body = socket ? '' : `${Buffer.concat(await response.toArray())}`;
    const text = /<title>([^<]*)/i.exec(body)?.[1] ?? body;
    const sentence = text.replace(/(<[^>]*>|\s)+/g, ' ').trim().slice(0, 150);
    const { statusCode: status = 0, headers } = response;
    const seen = `${line}: ${status} ${inspect(headers.location ?? sentence)}`;
    const error = fault(what, seen, `${status} ${sentence}`);
    return { status, headers, body, sentence, socket, error };
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
    const late = signal.aborted && `no complete response within ${timeoutMs / 1000} s`;
    throw fault(what, `${line}: ${late || message || code}`, late ? 'TIMEOUT' : code);
  }
}

/** @param {typeof REQUESTS[number]} request */
async function expect([first, method, name, headers, status, body], what = first) {
  const answer = await ask(what, name, method, headers);
  answer.socket?.destroy();
  if (answer.status !== status || !body.test(answer.body)) throw answer.error;
}

/** Opens the stream, and collects what comes; `code` is 0 until it ends. */
async function open(from = 0, what = 'handshake') {
  const { socket, error } = await ask(what, `ws?from=${from}`, 'UPGRADE');
  if (!socket) throw error;
  const times = [performance.now()]; // Of the handshake and each frame.
  const counts = { messages: 0, signs: 0, pongs: 0, code: 0, firstMs: Infinity };
  const reader = { socket, from, times, ...counts };
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
      times.push(performance.now());
      if (first === 0x88) reader.code ||= end > start ? bytes.readUInt16BE(start) : 1005;
      else if (first === 0x8a) reader.pongs += 1;
      else if (first === 0x82 && end === start) reader.signs += 1;
      else if (first & 15 && (reader.messages += 1) === 1) reader.firstMs = performance.now();
      bytes = bytes.subarray(end);
    }
  });
  return reader;
}

/** Waits until `condition` holds, or for `ms`. @param {() => unknown} condition */
async function until(condition, ms = timeoutMs) {
  const endMs = performance.now() + ms;
  while (!condition() && performance.now() < endMs) await sleep(2);
}

/** Throws if the stream is silent for too long, was cut off, or has ended too early.
 * @param {Awaited<ReturnType<typeof open>>} reader */
function judge({ code, messages, from, times, times: [openedMs = 0] }) {
  const nowMs = performance.now();
  const [silentMs = 0, ...gaps] = times.map((ms, i) => (times[i + 1] ?? nowMs) - ms).reverse();
  const longestMs = Math.max(0, ...gaps);
  const [age, silence] = [nowMs - openedMs, Math.max(silentMs, longestMs)].map(Math.round);
  const end = code === 1006 ? 'cut off' : code ? `closed with ${code}` : 'open';
  const seen = `${messages} messages, ${end} after ${age} ms, silent for up to ${silence} ms`;
  if (!code && silentMs > SILENT_MS) throw fault('held', seen);
  if (code === 1006 && nowMs - openedMs < 500) throw fault('handshake', seen);
  if (code === 1006) throw fault(silentMs > longestMs ? 'silence' : 'life', seen);
  const isEarly = total < Infinity && messages !== total - from;
  if (code > 1000 || (code && isEarly)) throw fault('early', seen);
  return seen;
}

/** The most fundamental first: the first failure explains those that would follow.
 * @type {[name: string, check: () => Promise<string | void>][]} */
const CHECKS = [
  ['the page and its script are there', async () => {
    const { status, body, error } = await ask('page', page);
    const src = /<script\b[^>]*\ssrc="([^"]*client\.js)"/i.exec(body)?.[1];
    if (status !== 200 || !src) throw error;
    [html, script] = [body, new URL(src, page)];
    const last = page.pathname.replace(/.*\//, '').toLowerCase();
    const file = await ask(src.toLowerCase().startsWith(last) ? 'file' : 'slash', script);
    const type = file.status === 200 && file.headers['content-type'];
    if (!type || !/javascript/.test(type)) throw file.error;
  }],
  ['a browser can open the stream, and gets errors as they are', async () => {
    for (const request of REQUESTS) await expect(request);
  }],
  ['nothing else of the folder is served', async () => {
    const names = 'debug ../ ../package.json ../web.config ../README.md ../setup.bat ' +
      '../src/app.ts ../dist/server.js ../iisnode/index.html ../node_modules/typescript/README.md';
    for (const name of names.split(' ')) {
      const { status, body, error } = await ask('folder', name);
      if (status === 200 && body !== html) throw error;
    }
  }],
  ['page and stream have as many messages', async () => {
    const max = Number(/<progress\b[^>]*\smax="(\d+)"/i.exec(html)?.[1] ?? Infinity);
    const { sentence } = await ask('query', 'ws?from=x', 'UPGRADE');
    total = Number(/ from 0 to (\d+)\.$/.exec(sentence)?.[1] ?? Infinity);
    if (max !== total) throw fault('max', `the page has ${max}, the stream ${total}`);
    return `${total}`;
  }],
  ['what is sent arrives at once, and silence ends no stream', async () => {
    // Pings wake a connection and push messages through, so one of the two sends none.
    const [quiet, busy] = await Promise.all([open(), open()]);
    const delays = [0, 0, 0];
    for (const i of delays.keys()) {
      const sentMs = performance.now();
      busy.socket.write(PING);
      await until(() => busy.pongs > i || busy.code, SILENT_MS);
      delays[i] = performance.now() - sentMs;
      for (const reader of [quiet, busy]) judge(reader);
      if (busy.pongs <= i && !busy.code) throw fault('held', 'no pong to a ping');
    }
    const [, delayMs = 0] = delays.sort((a, b) => a - b); // One may be late on a busy machine.
    if (delayMs > 2000) throw fault('held', `a pong took ${Math.round(delayMs)} ms`);
    busy.socket.write(TOO_LONG);
    await until(() => busy.code);
    if (busy.code !== 1009 && judge(busy) && !busy.code) throw fault('held', 'no close with 1009');
    const isDone = () => judge(quiet) && (quiet.code || (quiet.signs > 0 && !whole));
    await until(isDone, whole && total < Infinity ? Infinity : SILENT_MS);
    const story = judge(quiet);
    quiet.socket.end(CLOSE);
    // A message that comes only with the next one was held back.
    if (quiet.firstMs - busy.firstMs > 1000) throw fault('held', 'the first message is late');
    return quiet.signs ? story : `${story}; a longer silence was not tried`;
  }],
  ['from=N and the close of the stream get through', async () => {
    const reader = await open(total === Infinity ? 1000 : total);
    await until(() => reader.code || total === Infinity);
    if (judge(reader) && !reader.code && total < Infinity) throw fault('early', judge(reader));
    reader.socket.end(CLOSE);
  }],
  ['70 requests, 20 clients that vanish, and a pause do no harm to later requests', async () => {
    const expectAll = () => Promise.all(REQUESTS.map((request) => expect(request, 'pool')));
    for (let i = 0; i < 10; i += 1) await expectAll();
    await sleep(6500); // Longer than Node.js keeps idle connections by default.
    await expectAll();
  }],
  ['the files of the page are there, with their headers, and 304 follows an ETag', async () => {
    const names = html.matchAll(/<(?:link|script)\b[^>]*\s(?:href|src)="([^"]+)"/gi);
    for (const [, name = ''] of [['', page.href], ...names]) {
      const url = new URL(name, page);
      if (url.origin !== page.origin) continue;
      const { headers } = await ask('file', url);
      const { status } = await ask('file', url, 'GET', { 'If-None-Match': headers.etag ?? '' });
      const { 'cache-control': cache, 'content-security-policy': policy } = headers;
      if (status === 304 && cache === 'no-cache' && policy) continue;
      throw fault('header', `${name}: ${inspect({ cache, policy, 'If-None-Match': status })}`);
    }
  }],
  ['50 readers at once hear the stream', async () => {
    const readers = await Promise.all(Array.from({ length: 50 }, () => open(0, 'many')));
    for (const { socket } of readers) socket.write(PING);
    await until(() => readers.every(({ pongs, code }) => pongs || code));
    const dead = readers.filter(({ pongs, code }) => !pongs && code !== 1000).length;
    if (dead) throw fault('many', `${dead} of 50 connections are dead`);
    for (const { socket } of readers) socket.end(CLOSE);
  }],
];

async function main() {
  const { positionals: [address = '', ...others], values } = parseArgs({
    allowPositionals: true,
    options: { whole: { type: 'boolean' }, timeout: { type: 'string', default: '10' } },
  });
  const isUrl = URL.canParse(address) && /^https?:$/.test(new URL(address).protocol);
  if (!isUrl || others.length > 0 || !/^[1-9]\d{0,3}$/.test(`${values.timeout}`)) {
    throw new Error('Usage: npm run check -- http://HOST/PATH [--whole] [--timeout 1…9999]');
  }
  page = script = new URL(address);
  timeoutMs = Number(values.timeout) * 1000;
  whole = values.whole ?? false;
  const more = whole ? ', and as long as the stream' : '';
  console.log(`Checking ${page.origin}${page.pathname}. This takes about 20 seconds${more}.`);
  for (const [name, check] of CHECKS) {
    doing = name;
    const detail = await check();
    console.log(`✔ ${name}${detail ? `: ${detail}` : ''}`);
  }
}

process.stdout.on('error', () => process.exit(1)); // As in `npm run check | head`.
void main().catch((error) => {
  process.exitCode = error.cause ? 1 : 2;
  if (!error.cause) return console.error(error.message);
  console.log(`✖ ${doing}\n    Seen: ${error.cause}\n    ${error.message}`);
}).finally(() => process.stdout.write('', () => process.exit()));
