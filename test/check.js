// @ts-check
/** Tries a host as a browser does, and says what is wrong. It needs nothing but Node.js. */
const { randomUUID } = require('node:crypto');
const { setTimeout: sleep } = require('node:timers/promises');
const { inspect, parseArgs } = require('node:util');
const { ask, follow } = require('./check/ask.js');
const { explain, noteHost } = require('./check/causes.js');
const judge = require('./check/judge.js');

const USAGE = 'Usage: npm run check -- http://HOST/PATH [--whole] [--timeout SECONDS] ' +
  "[--header 'Cookie: …']";
const SILENT_MS = 8000; // The server is never silent for more than 5 s.
const WHOLE_MS = 75_000; // Of a stream without an end: some hosts cut a client's silence at 60 s.
// A message that the server refuses with 1009, masked with zeros (RFC 6455 section 5.2).
const TOO_LONG = Buffer.from([129, 254, 4, 1, 0, 0, 0, 0, ...Buffer.alloc(1025, 'x')]);

/** What the page needs, and what is better: else a line starts with `!`.
 * @type {[what: string, method: string, name: string, RegExp, better: RegExp, more?: {}][]} */
const REQUESTS = [
  ['handshake', 'UPGRADE', 'ws', /^101/, /^/],
  ['origin', 'UPGRADE', 'ws', /^(?!101)/, /^403 Pages/, { Origin: 'https://stranger.example' }],
  ['query', 'UPGRADE', 'ws?from=x', /^4(?!0[14])/, /^400 from is "x"/],
  ['retry', 'GET', 'ws', /^(?!3|401|5)/, /^426 A WebSocket needs/],
];

let page = new URL('http://localhost/');
let script = page; // The page's script; the stream is next to it.
/** @type {URL[]} What the page consists of. */
let files = [];
let max = 0; // How many messages the page expects; 0 if the stream has no end.
let timeoutMs = 0;
let whole = false; // Whether to wait for the end of the stream.
/** @type {Record<string, string>} */
let headers = {};
/** @type {Map<string, string>} What is merely worse than it could be: one of each kind. */
const warnings = new Map();

/** @param {string} what @param {string} seen */
const fault = (what, seen) => new Error(`✖\n    Seen: ${explain(what, seen)}`);
/** @param {string} what @param {string} seen */
const warn = (what, seen) => warnings.set(what, warnings.get(what) ?? `! ${explain(what, seen)}`);

/** Asks. Throws unless the status and the body that come match.
 * @param {string} what @param {string} method @param {string | URL} name
 * @param {RegExp} needed @param {RegExp} [better] @param {Record<string, string>} [more] */
async function attempt(what, method, name, needed, better = /^/, more = {}) {
  const url = new URL(name, script);
  // The page passes its query on to the stream.
  if (/^ws/.test(`${name}`)) url.search += page.search.replace('?', '&');
  const line = [method, url.pathname + url.search, ...Object.keys(more)].join(' ');
  const answer = await ask(url, method === 'UPGRADE', { ...headers, ...more }, timeoutMs)
    .catch(({ code = 'Error:', message }) => {
      const came = `${code} ${message} for ${line}`;
      // Node.js rejects the Upgrade of a 426 over HTTP/2, Chromium does not.
      const isRetry = method === 'GET' && name === 'ws';
      if (!isRetry || !code.startsWith('ERR_HTTP2')) throw fault(what, came);
      warn('hidden', came);
      return { status: 426, headers: {}, body: 'A WebSocket needs', over: '', socket: undefined };
    });
  noteHost(answer.headers);
  const { status, body, over, headers: { location } } = answer;
  const text = body.slice(0, 2000).replace(/<[^<>]*>/g, ' ').replace(/\s+/g, ' ').trim();
  const seen = `${status} ${inspect(location ?? text.slice(0, 150))} for ${line}${over}`;
  if (!needed.test(`${status} ${body}`)) throw fault(what, seen);
  if (!better.test(`${status} ${body}`)) warn('error', seen);
  const refused = status === 101 && !over && judge.refuse(answer.headers);
  if (refused) throw fault('handshake', `${seen}, ${refused}`);
  return { ...answer, seen };
}

/** Waits until the stream ends, or for `maxMs`, and resolves with what was seen. Throws if it is
 * silent for too long, is cut off, or ends too early.
 * @param {ReturnType<typeof follow>} reader @param {number} maxMs */
async function watch(reader, maxMs) {
  const endMs = performance.now() + maxMs;
  for (;; await sleep(2)) {
    const { code, texts, binaries } = reader;
    const nowMs = performance.now();
    const ageMs = nowMs - reader.openedMs;
    const quietMs = Math.max(reader.longestMs, nowMs - reader.lastMs);
    const seen = `came: ${texts} texts and ${binaries} binary messages in ${ageMs.toFixed()} ms, ` +
      `quiet for ${quietMs.toFixed()} ms, close code ${code || 'none'}`;
    // A stream sends one binary message at most, hello. An empty one is no message.
    if (binaries > 1 || (code === 1006 && ageMs < 500)) throw fault('handshake', seen);
    if (quietMs > SILENT_MS) throw fault('held', seen);
    if (code === 1006) throw fault('open', seen);
    if (max && texts > max) throw fault('max', seen);
    const isComplete = code === 1000 && (!max || texts === max);
    if (code && code !== 1009 && !isComplete) throw fault('early', seen);
    if (code || nowMs > endMs) return seen;
  }
}

/** @param {URL} url */
async function checkFile(url) {
  const { pathname } = url;
  const isPage = url === page;
  const type = isPage ? /^text\/html\b/i
    : pathname.endsWith('.js') ? /^(text|application)\/(x-)?(java|ecma)script\b/i
    : pathname.endsWith('.css') ? /^text\/css\b/i : undefined; // An icon may be missing.
  const what = isPage || /(\/|\.js)$/i.test(page.pathname) ? 'file' : 'slash';
  const allowed = type ? /^(?!429|5)/ : /^(?!429|503)/;
  const load = (more = {}) => attempt(what, 'GET', url, allowed, /^/, more);
  const versions = new Set();
  for (let i = 0; i < 10; i += 1) {
    const { status, body } = await load();
    // Hosts add to a page, but not to other files.
    versions.add(`${status} ${isPage ? judge.readPage(body, page).max : body}`);
  }
  if (versions.size > 1) throw fault('differ', `${versions.size} versions of ${pathname}`);
  // A script is no page.
  const needed = !isPage && pathname.endsWith('.js') ? /^200 \s*[^\s<]/ : type ? /^200/ : /^/;
  const { body, headers, seen } = await attempt(what, 'GET', url, needed);
  const { etag = '""', age, 'cache-control': control = '', 'content-type': came = '' } = headers;
  if (type?.test(came) === false) throw fault(what, `${seen}, Content-Type is "${came}"`);
  // Not from a cache.
  const other = await attempt(what, 'GET', new URL(`?${randomUUID()}`, url), /^/);
  const isStale = !isPage && other.status === 200 && other.body !== body;
  if (isStale) throw fault('cache', `${other.seen} has other bytes than ${seen}`);
  await attempt('cache', 'GET', url, /^(?!304)/, /^/, { 'If-None-Match': `"${randomUUID()}"` });
  const { status } = await load({ 'If-None-Match': etag });
  const isAsked = /\bno-(cache|store)\b|\bmax-age=0\b/i.test(control);
  const caching = `Age ${age}, Cache-Control "${control}", then ${status}`;
  if (status !== 304 || Number(age) > 0 || !isAsked) warn('cache', `${seen}, ${caching}`);
}

/** The most fundamental first: the first failure explains those that would follow.
 * @type {[name: string, check: () => Promise<string | void>][]} */
const CHECKS = [
  ['the page is there', async () => {
    const { headers: { location } } = await attempt('page', 'GET', page, /^/);
    // A browser follows any redirect, but others may lead to a login.
    const slash = `${page.pathname}/${page.search}`;
    if (location?.replace(page.origin, '') === slash) page = new URL(page.origin + slash);
    const { body, headers, seen } = await attempt('page', 'GET', page, /^200/);
    const found = judge.readPage(body, page);
    if (!found.script) throw fault('page', `${seen}, without client.js of this host`);
    if (!found.isModule) throw fault('file', `${seen}, client.js without type="module"`);
    ({ script, max } = found);
    files = [page, ...found.files];
    const header = `${headers['content-security-policy'] ?? ''}`;
    const policies = [...header.split(','), ...found.policies];
    const verdicts = policies.map((one) => judge.judgePolicy(one, page.protocol === 'https:'));
    const all = `Content-Security-Policy: ${inspect(policies)}`;
    if (!policies[0] || verdicts.includes('yes')) throw fault('policy', all);
    if (verdicts.includes('perhaps')) warn('policy', all);
  }],
  ['its files are there, the same from each server', async () => {
    for (const file of files) await checkFile(file);
  }],
  ['a browser can open the stream, and return', async () => {
    for (const request of REQUESTS) {
      const { socket, body, seen } = await attempt(...request);
      socket?.destroy();
      const isRight = body.includes(max ? ` from 0 to ${max}.` : ' number.');
      if (/^from is "x"/.test(body) && !isRight) throw fault('max', `${seen}, max is ${max}`);
    }
  }],
  ['nothing else of the folder is served', async () => {
    // Some hosts answer any path with the same page.
    const { body: fallback } = await attempt('folder', 'GET', randomUUID(), /^/);
    const names = 'debug ../package.json ../web.config ../dist/server.js ../iisnode/index.html';
    for (const name of names.split(' ')) {
      const { status, body, seen } = await attempt('folder', 'GET', name, /^/);
      if (status === 200 && body !== fallback) throw fault('folder', seen);
    }
  }],
  ['what is sent arrives at once, and silence ends no stream', async () => {
    const open = async () => follow((await attempt('handshake', 'UPGRADE', 'ws', /^101/)).socket);
    const [quiet, busy] = await Promise.all([open(), open()]);
    busy.socket.write(TOO_LONG);
    const answer = await watch(busy, timeoutMs);
    if (!busy.code) throw fault('held', `no close with 1009, ${answer}`);
    const seen = await watch(quiet, !whole ? SILENT_MS : max ? Infinity : WHOLE_MS);
    // Its end pushes through what was held back for the other one.
    if (quiet.firstMs - busy.firstMs > 1000) warn('held', `the first message is late, ${seen}`);
    quiet.socket.destroy();
    return seen;
  }],
  ['40 requests, 10 clients that vanish, and a pause do no harm to later requests', async () => {
    for (const pauseMs of [0, 0, 0, 0, 0, 0, 0, 0, 0, 6500]) {
      await sleep(pauseMs); // Longer than Node.js keeps idle connections by default.
      await Promise.all(REQUESTS.map(async ([, ...request]) => {
        (await attempt('pool', ...request)).socket?.destroy();
      }));
    }
  }],
  ['50 readers at once can open the stream', async () => {
    const open = () => attempt('many', 'UPGRADE', 'ws', /^101/);
    await Promise.all(Array.from({ length: 50 }, open));
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
  headers = Object.fromEntries(fields);
  page = new URL(address);
  const { username, password } = page;
  if (username) {
    const login = Buffer.from(decodeURIComponent(`${username}:${password}`)).toString('base64');
    headers['Authorization'] = `Basic ${login}`;
    warn('password', `for ${page.host}`);
    page.username = page.password = '';
  }
  script = page;
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
