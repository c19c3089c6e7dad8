// @ts-check
/** Tries a host as a browser does, and says what is wrong. It needs nothing but Node.js. */
const { randomUUID } = require('node:crypto');
const { setTimeout: sleep } = require('node:timers/promises');
const { inspect, parseArgs } = require('node:util');
const { ask, follow } = require('./check/ask.js');
const { explain, noteHost } = require('./check/causes.js');
const judge = require('./check/judge.js');

const SILENT_MS = 8000; // The server is never silent for more than 5 s.
const WHOLE_MS = 75_000; // Of a stream without an end: some hosts cut a client's silence at 60 s.
// A message that the server refuses with 1009, masked with zeros (RFC 6455 section 5.2).
const TOO_LONG = Buffer.from([129, 254, 4, 1, 0, 0, 0, 0, ...Buffer.alloc(1025, 'x')]);

/** What the page needs, and what is better: else a line starts with `!`.
 * @type {[what: string, method: string, name: string, more: {}, RegExp, better: RegExp][]} */
const REQUESTS = [
  ['handshake', 'UPGRADE', 'ws', {}, /^101/, /^/],
  ['firefox', 'UPGRADE', 'ws', { Connection: 'keep-alive, Upgrade' }, /^101/, /^/],
  ['origin', 'UPGRADE', 'ws', { Origin: 'https://stranger.example' }, /^(?!101)/, /^403 Pages/],
  ['query', 'UPGRADE', 'ws?from=x', {}, /^4(?!0[14])/, /^400 from is "x"/],
  ['retry', 'GET', 'ws', {}, /^(?!3|401|5)/, /^426 A WebSocket needs/],
  ['error', 'GET', 'missing.js', {}, /^/, /^404 Not found/],
];

let page = new URL('http://localhost/');
let script = page; // The page's script; the stream is next to it.
/** @type {judge.File[]} What the page consists of. */
let files = [];
let max = 0; // How many messages the page expects, and the stream has; 0 if it has no end.
let total = 0;
let timeoutMs = 0;
let whole = false; // Whether to wait for the end of the stream.
/** @type {Record<string, string>} */
const headers = {};
/** @type {Map<string, string>} What is merely worse than it could be: one of each kind. */
const warnings = new Map();

/** @param {string} what @param {string} seen @param {string} [came] */
const fault = (what, seen, came) => new Error(`✖\n    Seen: ${explain(what, seen, came)}`);
/** @param {string} what @param {string} seen */
const warn = (what, seen) => warnings.set(what, warnings.get(what) ?? `! ${explain(what, seen)}`);

/** Asks. Throws unless the status and the body that come match.
 * @param {string} what @param {string} method @param {string | URL} name
 * @param {Record<string, string>} more @param {RegExp} needed @param {RegExp} [better] */
async function attempt(what, method, name, more, needed, better = /^/) {
  const url = new URL(name, script);
  // The page passes its query on to the stream.
  const query = `${name}`.startsWith('ws') ? page.searchParams : [];
  for (const [key, value] of query) url.searchParams.append(key, value);
  const line = [method, url.pathname + url.search, ...Object.keys(more)].join(' ');
  /** @type {import('./check/ask.js').Answer} */
  const answer = await ask(url, method, { ...headers, ...more }, timeoutMs).catch((error) => {
    const { code = '', message, over = '' } = error;
    // Node.js rejects the Upgrade of a 426 over HTTP/2, Chromium does not.
    const is426 = over && method === 'GET' && name === 'ws';
    if (!is426) throw fault(what, `${line}${over}: ${message || code}`, code + over);
    warn('hidden', `${line}${over}: ${message}`);
    return { status: 426, headers: {}, body: 'A WebSocket needs', over };
  });
  noteHost(answer.headers);
  const { status, body, over, headers: { location } } = answer;
  const sentence = body.slice(0, 2000).replace(/<[^<>]*>/g, ' ').replace(/\s+/g, ' ').slice(0, 150);
  const seen = `${line}${over}: ${status} ${inspect(location ?? sentence.trim())}`;
  if (!needed.test(`${status} ${body}`)) throw fault(what, seen, `${status} ${sentence}${over}`);
  if (!better.test(`${status} ${body}`)) warn('error', seen);
  const refusal = status === 101 && judge.refuseUpgrade(answer);
  if (refusal) throw fault('accept', `${seen}, ${refusal}`);
  return { ...answer, seen };
}

/** Waits until the stream ends, or for `maxMs`, and resolves with what was seen. Throws if it is
 * silent for too long, is cut off, or ends too early.
 * @param {ReturnType<typeof follow>} reader @param {number} maxMs */
async function watch(reader, maxMs) {
  const endMs = performance.now() + maxMs;
  for (;; await sleep(2)) {
    const { code, messages, openedMs, lastMs } = reader;
    const nowMs = performance.now();
    const quietMs = nowMs - lastMs;
    const longestMs = Math.max(reader.longestMs, quietMs);
    const [age, quiet, last] = [nowMs - openedMs, longestMs, quietMs].map(Math.round);
    const seen = `${messages} messages in ${age} ms, quiet for ${quiet} ms, at last for ` +
      `${last} ms, code ${code || 'none'}`;
    // A stream sends one at most, hello. An empty one is a sign of life.
    if (reader.binaries > 1) throw fault('binary', seen);
    if (longestMs > SILENT_MS) throw fault('held', seen);
    if (code === 1006 && nowMs - openedMs < 500) throw fault('handshake', seen);
    // It has survived such a silence of the server before.
    const isLife = quietMs < 1.2 * reader.longestMs;
    if (code === 1006) throw fault(isLife ? 'life' : 'silence', seen);
    if (total && messages > total) throw fault('max', seen);
    const isComplete = code === 1000 && (!total || messages === total);
    if (code && code !== 1009 && !isComplete) throw fault('early', seen);
    if (code || nowMs > endMs) return seen;
  }
}

/** @param {judge.File} file */
async function checkFile(file) {
  const { url, kind } = file;
  const what = kind === 'page' || /(\/|\.js)$/i.test(page.pathname) ? 'file' : 'slash';
  /** @param {URL} url @param {Record<string, string>} more @param {RegExp} [needed] */
  const load = (url, more, needed = /^/) => attempt(what, 'GET', url, more, needed);
  const loads = [];
  for (let i = 0; i < 10; i += 1) loads.push(await load(url, {}));
  const limited = loads.find(({ status }) => status === 429 || status === 503);
  if (limited) throw fault('many', limited.seen);
  // Hosts add to a page, but not to other files.
  const versions = loads.map(({ status, body }) =>
    `${status} ${kind === 'page' ? judge.readPage(body, page).max : body}`);
  if (new Set(versions).size > 1) throw fault('differ', `GET ${url} is not the same ten times`);
  // A script is no page; an icon may be missing.
  const needed = { page: /^200/, script: /^200 \s*[^\s<]/, style: /^200/, other: /^/ }[kind];
  const { body, headers: { etag = '""', age, ...headers }, seen } = await load(url, {}, needed);
  const refusal = judge.refuseFile(file, headers, body);
  if (refusal) throw fault('type', `${seen}, ${refusal}`);
  const fresh = new URL(url);
  fresh.searchParams.set('x', randomUUID());
  const other = await load(fresh, {});
  const isStale = kind !== 'page' && other.status === 200 && other.body !== body;
  if (isStale) throw fault('stale', `other bytes at ${url} than at ${fresh}`);
  await attempt('stale', 'GET', url, { 'If-None-Match': `"${randomUUID()}"` }, /^(?!304)/);
  const { status } = await load(url, { 'If-None-Match': etag });
  const caching = inspect({ status, age, 'cache-control': headers['cache-control'] });
  const isAsked = /\bno-(cache|store)\b|\bmax-age=0\b/i.test(headers['cache-control'] ?? '');
  if (status !== 304 || Number(age) > 0 || !isAsked) warn('cache', `${seen}, then ${caching}`);
}

/** The most fundamental first: the first failure explains those that would follow.
 * @type {[name: string, check: () => Promise<string | void>][]} */
const CHECKS = [
  ['the page is there', async () => {
    const { headers: { location } } = await attempt('page', 'GET', page, {}, /^/);
    // A browser follows any redirect, but others may lead to a login.
    const slash = `${page.pathname}/${page.search}`;
    if (location?.replace(page.origin, '') === slash) page = new URL(page.origin + slash);
    const { body, headers, seen } = await attempt('page', 'GET', page, {}, /^200/);
    const found = judge.readPage(body, page);
    const client = found.files.find(({ url }) => url.pathname.endsWith('client.js'));
    if (!client) throw fault('page', `${seen}, without client.js of this host`);
    [script, total, max] = [client.url, found.max, found.max];
    // Other files are not dante's: a host may add them to the page.
    const { href } = new URL('.', script);
    const own = found.files.filter(({ url }) => new URL('.', url).href === href);
    files = [{ url: page, kind: 'page', isModule: false }, ...own];
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
    for (const request of REQUESTS) (await attempt(...request)).socket?.destroy();
  }],
  ['nothing else of the folder is served', async () => {
    // Some hosts answer any path with the same page.
    const { body: fallback } = await attempt('folder', 'GET', randomUUID(), {}, /^/);
    const names = 'debug ../package.json ../web.config ../dist/server.js ../iisnode/index.html';
    for (const name of names.split(' ')) {
      const { status, body, seen } = await attempt('folder', 'GET', name, {}, /^/);
      if (status === 200 && body !== fallback) throw fault('folder', seen);
    }
  }],
  ['page and stream have as many messages', async () => {
    const { body } = await attempt('query', 'UPGRADE', 'ws?from=x', {}, /^/);
    // A host may have replaced this body.
    const [is, count = 0] = /^from is "x".* number(?: from 0 to (\d+))?\.$/.exec(body) ?? [];
    if (is) total = Number(count);
    if (max !== total) throw fault('max', `the page has ${max}, the stream ${total}`);
  }],
  ['what is sent arrives at once, and silence ends no stream', async () => {
    const open = async () => {
      const { socket } = await attempt('handshake', 'UPGRADE', 'ws', {}, /^101/);
      return follow(/** @type {import('node:stream').Duplex} */ (socket)); // Every 101 has one.
    };
    const [quiet, busy] = await Promise.all([open(), open()]);
    busy.socket.write(TOO_LONG);
    const seen = await watch(busy, timeoutMs);
    if (!busy.code) throw fault('held', `no close with 1009: ${seen}`); // 1000 if it is short.
    const story = await watch(quiet, !whole ? SILENT_MS : total ? Infinity : WHOLE_MS);
    // Its end pushes through what was held back for the other one.
    if (quiet.firstMs - busy.firstMs > 1000) warn('held', 'the first message is late');
    quiet.socket.destroy();
    return story;
  }],
  ['60 requests, 20 clients that vanish, and a pause do no harm to later requests', async () => {
    for (const pauseMs of [0, 0, 0, 0, 0, 0, 0, 0, 0, 6500]) {
      await sleep(pauseMs); // Longer than Node.js keeps idle connections by default.
      await Promise.all(REQUESTS.map(async ([, ...request]) => {
        (await attempt('pool', ...request)).socket?.destroy();
      }));
    }
  }],
  ['50 readers at once can open the stream', async () => {
    const open = () => attempt('many', 'UPGRADE', 'ws', {}, /^101/);
    await Promise.all(Array.from({ length: 50 }, open));
  }],
];

const USAGE = 'Usage: npm run check -- http://HOST/PATH [--whole] [--timeout SECONDS] ' +
  "[--header 'Cookie: …']";

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
  if (!isRight) {
    throw new Error(USAGE);
  }
  for (const [name = '', value = ''] of fields) headers[name] = value;
  page = new URL(address);
  const { username, password } = page;
  if (username) {
    const login = Buffer.from(decodeURIComponent(`${username}:${password}`)).toString('base64');
    headers['Authorization'] = `Basic ${login}`;
    warn('password', page.host);
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
