/** Tries a host as a browser does, and says what is wrong. It needs nothing but Node.js. */
const { randomUUID } = require('node:crypto');
const { setTimeout: sleep } = require('node:timers/promises');
const { inspect, parseArgs } = require('node:util');
const { ask, follow } = require('./check/ask.js');
const { explain } = require('./check/causes.js');
const judge = require('./check/judge.js');

const USAGE = "Usage: npm run check -- http://… [--whole] [--timeout 30] [--header 'Cookie: …']";
const SILENT_MS = 8000; // The server is never silent for more than 5 s.
// A message that the server refuses with 1009, masked with zeros (RFC 6455 section 5.2).
const TOO_LONG = Buffer.from([129, 254, 4, 1, 0, 0, 0, 0, ...Buffer.alloc(1025, 'x')]);

/** What the page needs, and what is better: else a line starts with `!`. Node.js rejects the
 * Upgrade of a 426 over HTTP/2, Chromium does not.
 * @type {[what: string, method: string, name: string, RegExp, more?: {}, better?: RegExp][]} */
const REQUESTS = [
  ['handshake', 'UPGRADE', 'ws', /^101/],
  ['origin', 'UPGRADE', 'ws', /^(?!101)\d/, { Origin: 'https://stranger.example' }, /^403 Pages/],
  ['query', 'UPGRADE', 'ws?from=x', /^4(?!0[14])/, {}, /^400 from is "x"/],
  ['retry', 'GET', 'ws', /^(?!3|401|5)\d|^ERR_HTTP2/, {}, /^426 A WebSocket needs/],
];

let headers = {};
let page = new URL('http://localhost/');
let found = judge.readPage('', page);
let timeoutMs = 0;
let whole = false; // Whether to wait for the end of the stream.
let host = 'HAProxy'; // It does not say its name, nor does dante.
const warnings = new Map(); // What is merely worse than it could be: one of each kind.

/** @param {string} what @param {string} seen */
const fault = (what, seen) => new Error(`✖\n    Seen: ${explain(what, seen, host)}`);
/** @param {string} what @param {string} seen */
const warn = (what, seen) => warnings.set(what, `! ${explain(what, seen, host)}`);

/** Asks. Throws unless what comes matches `needed`: by default, any response.
 * @param {string} what @param {string} method @param {string | URL} name
 * @param {RegExp} [needed] @param {Record<string, string>} [more] @param {RegExp} [better] */
async function attempt(what, method, name, needed = /^\d/, more = {}, better = /^/) {
  const url = new URL(name, found.script ?? page);
  // The page passes its query on to the stream.
  if (/^ws/.test(`${name}`)) url.search += page.search.replace('?', '&');
  const answer = await ask(url, method === 'UPGRADE', { ...headers, ...more }, timeoutMs);
  const { status, body, headers: { location, server = '', via = '', ':status': isHttp2 } } = answer;
  host = `${server} ${via}`.trim() || host;
  const text = body.slice(0, 2000).replace(/(<[^<>]*>|\s)+/g, ' ').trim().slice(0, 150);
  const line = [method, url.pathname + url.search, ...Object.keys(more)].join(' ');
  const seen = `${status} ${inspect(location ?? text)} for ${line}${isHttp2 ? ' over HTTP/2' : ''}`;
  if (!needed.test(`${status} ${body}`)) throw fault(what, seen);
  if (!better.test(`${status} ${body}`)) warn('error', seen);
  return { ...answer, seen };
}

/** Waits until the stream ends, or for `maxMs`, and resolves with what was seen. Throws if it is
 * silent for too long, is cut off, or ends too early.
 * @param {ReturnType<typeof follow>} reader @param {number} maxMs */
async function watch(reader, maxMs) {
  const endMs = performance.now() + maxMs;
  for (;; await sleep(2)) {
    const { code, texts, binaries, openedMs, lastMs } = reader;
    const ageMs = Math.round(performance.now() - openedMs);
    const seen = `${texts} texts, ${binaries} binary messages, ${ageMs} ms, code ${code || 'none'}`;
    // A stream sends one binary message at most, hello. An empty one is no message.
    if (binaries > 1 || (code === 1006 && ageMs < 500)) throw fault('handshake', seen);
    if (performance.now() - lastMs > SILENT_MS) throw fault('held', seen);
    if (code === 1006) throw fault('open', seen);
    if (found.max && texts > found.max) throw fault('max', seen);
    const isComplete = code === 1000 && (!found.max || texts === found.max);
    if (code && code !== 1009 && !isComplete) throw fault('early', seen);
    if (code || performance.now() > endMs) return seen;
  }
}

/** @param {URL} url */
async function checkFile(url) {
  const isPage = url === page;
  const what = isPage || /(\/|\.js)$/i.test(page.pathname) ? 'file' : 'slash';
  const load = (more = {}) => attempt(what, 'GET', url, /^(?!429|503)\d/, more);
  const loads = await Promise.all(Array.from({ length: 10 }, () => load()));
  // Hosts add to a page, but not to other files.
  const versions = loads.map(({ status, body }) =>
    `${status} ${isPage ? judge.readPage(body, page).max : body}`);
  if (new Set(versions).size > 1) throw fault('differ', `${url.pathname} changes`);
  const { status, body, headers, seen } = await load();
  const { etag = '""', age = 0, 'cache-control': control, 'content-type': type = '' } = headers;
  const needed = isPage ? /^200 text\/html\b/i
    : /\.js$/.test(url.pathname) ? /^200 (text|application)\/(x-)?(java|ecma)script\b.*\n\s*[^\s<]/i
    : /\.css$/.test(url.pathname) ? /^200 text\/css\b/i : /^/; // An icon may be missing.
  const isRight = needed.test(`${status} ${type}\n${body}`);
  if (!isRight) throw fault(what, `${seen}, Content-Type is "${type}"`);
  const other = await attempt(what, 'GET', new URL(`?${randomUUID()}`, url)); // Not from a cache.
  const isOld = !isPage && other.status === 200 && other.body !== body;
  if (isOld) throw fault('cache', `${other.seen} has other bytes than ${seen}`);
  await attempt('cache', 'GET', url, /^(?!304)\d/, { 'If-None-Match': `"${randomUUID()}"` });
  const { seen: again } = await load({ 'If-None-Match': etag });
  const caching = `${again}, Age ${age}, Cache-Control ${control}`;
  if (!/^304 .*, Age 0, .*(no-(cache|store)|max-age=0\b)/i.test(caching)) warn('cache', caching);
}

/** The most fundamental first: the first failure explains those that would follow.
 * @type {[name: string, check: () => Promise<string | void>][]} */
const CHECKS = [
  ['the page and its files are there, the same from each server', async () => {
    const { headers: { location } } = await attempt('page', 'GET', page);
    // A browser follows any redirect, but others may lead to a login.
    const slash = `${page.pathname}/${page.search}`;
    if (location?.replace(page.origin, '') === slash) page = new URL(page.origin + slash);
    const { body, headers, seen } = await attempt('page', 'GET', page, /^200/);
    found = judge.readPage(body, page, headers['content-security-policy']);
    if (!found.script) throw fault('page', `${seen}, without client.js of this host`);
    if (!found.isModule) throw fault('file', `${seen}, without type="module"`);
    const { policies } = found;
    const verdicts = policies.flatMap((one) => judge.judgePolicy(one, page.protocol === 'https:'));
    const all = `Content-Security-Policy: ${inspect(policies)}`;
    if (!policies[0] || verdicts.includes('yes')) throw fault('policy', all);
    if (verdicts.includes('perhaps')) warn('policy', all);
    for (const file of [page, ...found.files]) await checkFile(file);
  }],
  ['a browser can open the stream, and return', async () => {
    for (const request of REQUESTS) {
      const { socket, body, seen } = await attempt(...request);
      socket?.destroy();
      const range = found.max ? ` from 0 to ${found.max}.` : ' number.';
      if (/^from is "x"/.test(body) && !body.includes(range)) throw fault('max', seen);
    }
  }],
  ['nothing else of the folder is served', async () => {
    // Some hosts answer any path with the same page.
    const { body: fallback } = await attempt('folder', 'GET', randomUUID());
    const names = 'debug ../package.json ../web.config ../dist/server.js ../iisnode/index.html';
    for (const name of names.split(' ')) {
      const { status, body, seen } = await attempt('folder', 'GET', name);
      if (status === 200 && body !== fallback) throw fault('folder', seen);
    }
  }],
  ['what is sent arrives at once, and silence ends no stream', async () => {
    const open = async () => follow((await attempt('handshake', 'UPGRADE', 'ws', /^101/)).socket);
    const [quiet, busy] = await Promise.all([open(), open()]);
    busy.socket.write(TOO_LONG);
    const answer = await watch(busy, timeoutMs);
    if (!busy.code) throw fault('held', `no close with 1009, ${answer}`);
    const late = await watch(quiet, 1000);
    // The end of the other one pushes through what was held back.
    if (busy.texts && !quiet.texts) warn('held', `the first message is late, ${late}`);
    // Some hosts cut a client's silence at 60 s.
    return watch(quiet, !whole ? SILENT_MS : found.max ? Infinity : 75_000)
      .finally(() => quiet.socket.destroy());
  }],
  ['40 requests, 10 clients that vanish, and a pause do no harm to later requests', async () => {
    for (const pauseMs of [0, 0, 0, 0, 0, 0, 0, 0, 0, 6500]) {
      await sleep(pauseMs); // Longer than Node.js keeps idle connections by default.
      for (const [, ...request] of REQUESTS) (await attempt('pool', ...request)).socket?.destroy();
    }
  }],
  ['50 readers at once can open the stream', async () => {
    await Promise.all(Array.from({ length: 50 }, () => attempt('many', 'UPGRADE', 'ws', /^101/)));
  }],
];

async function main() {
  const { positionals: [address = '', ...others], values } = parseArgs({
    allowPositionals: true,
    options: { whole: { type: 'boolean' }, timeout: { type: 'string', default: '10' },
      header: { type: 'string', multiple: true, default: [] } },
  });
  timeoutMs = Number(values.timeout) * 1000;
  whole = values.whole ?? false;
  const fields = (values.header ?? []).map((field) => field.split(/: *(.*)/s));
  const isRight = /^https?:\/\/[^/]/i.test(address) && others.length === 0 &&
    timeoutMs > 0 && timeoutMs < 1e9 && fields.every(([name, value]) => name && value);
  if (!isRight) throw new Error(USAGE);
  page = new URL(address);
  const { username, password } = page;
  const login = Buffer.from(decodeURIComponent(`${username}:${password}`)).toString('base64');
  headers = { ...username && { Authorization: `Basic ${login}` }, ...Object.fromEntries(fields) };
  if (username) warn('password', `for ${page.host}`);
  page.username = page.password = ''; // The header has them.
  for (const [name, check] of CHECKS) {
    process.stdout.write(`${name}: `);
    console.log(`✔ ${await check() ?? ''}`);
  }
  for (const warning of warnings.values()) console.log(warning);
}

process.stdout.on('error', () => process.exit(0)); // A closed pipe, as of `| head`.
void main().catch(({ message, code = '' }) => {
  process.exitCode = 1;
  console.log(/^ERR_(PARSE|INVALID_URL)/.test(code) ? `${message}\n${USAGE}` : message);
}).finally(() => process.stdout.write('', () => process.exit()));
