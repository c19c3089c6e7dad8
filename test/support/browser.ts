import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, on, once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { createApp, SCRIPT } from '../../dist/app.js';
import { loadAssets, PUBLIC } from '../../dist/assets.js';
import type { Options, Reading, State } from '../../public/reading.js';
import { createStream, listen } from './app.js';
import { kill, track } from './bounds.js';
import { ROOT } from './program.js';

export const MESSAGES = Array.from({ length: 46 }, (_, i) => `${i + 1}: dürr, € 𐍈\nline 2\nline 3`);
const WINDOWS = process.platform === 'win32';
const BROWSER = process.env['CHROME_PATH'] || [
  '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome',
  '/usr/bin/microsoft-edge', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:/Program Files/Google/Chrome/Application/chrome.exe',
  'C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe',
].find(existsSync);
const MISSING = 'no browser: install Chrome, Chromium or Edge, or set CHROME_PATH to one';
if (!BROWSER && process.env['CI'] && !WINDOWS) throw new Error(MISSING);

/** Runs before the page's scripts: their errors end the scene. */
const WATCH = `
  for (const type of ['error', 'unhandledrejection', 'securitypolicyviolation']) {
    addEventListener(type, ({ error, reason, message, blockedURI, target }) => parent.fail(error
      ?? reason ?? message ?? type + ': ' + (blockedURI ?? target.src ?? target.href)), true);
  }`;

/** Takes the place of public/reading.js in staged pages: the scene says what happens. */
const READING = `export class Reading {
  heard = 0; state = { name: 'paused' }; calls = [];
  constructor(options) { window.reading = Object.assign(this, options); }
  pause() { this.calls.push('pause'); }
  resume() { this.calls.push('resume'); }
  reconnectNow() { this.calls.push('wake'); }
  restart() { this.calls.push('restart'); }
  set(state) { this.state = state; this.onState(state); }
  send(...messages) {
    for (const message of messages) {
      this.heard += 1;
      this.set({ name: 'reading' });
      this.onMessage(message);
    }
  }
}`;
type Stage = { calls: string[]; set(state: State): void; send(...messages: string[]): void };
type Page = Window & typeof globalThis & { reading: Reading & Options & Stage };
type Script = (helpers: ReturnType<typeof help>) => unknown;

const index = loadAssets(PUBLIC).get('index.html') ?? assert.fail('No page.');
const watched = String(index.body).replace('<script', '<script src="/watch.js"></script>$&');
/** The page with a form, and without the poem's number and name of messages. */
const stage = (max: string) => watched.replace('</main>', `<form><input name="text"></form>$&
  <script type="module" src="server-faye.js/form.js"></script>`).replace(/ data-unit="[^"]*"/, '')
  .replace(/<progress.*?>/, `<progress id="progress" ${max}>`);
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
/** What the server sends instead of dante's files, by path, or by the page's name and path. */
const FILES = new Map([
  ['/', stage('')],
  ['dante/', stage('max="46"')],
  ['own/', watched],
  ['/watch.js', WATCH],
  ['/reading.js', READING],
  ['dante/reading.js', read('public/reading.js')],
  ['/render.js', 'export const render = (message) => message;'],
  ['own/render.js', read('public/render.js')],
  ['examples/render.js', read('test/examples/load.render.js')],
  ['/form.js', read('test/examples/form.js')],
  ['secure/client.js', read('public/client.js')
    .replace('import.meta.url', "'https://me:secret@dante.example/a/client.js'")],
]);

/** Runs in the browser, as scenes do: what they get. */
function help() {
  const frame = document.querySelector('iframe') as HTMLIFrameElement;
  const page = frame.contentWindow as Page;
  const root = page.document.documentElement;
  const $ = <T extends HTMLElement>(selector: string) => root.querySelector(selector) as T;
  const style = (selector: string) => page.getComputedStyle($(selector));
  const status = () => $('#status').textContent;
  const items = () => [...root.querySelectorAll<HTMLLIElement>('#messages > li')];
  const isAtEnd = () => root.scrollHeight - page.innerHeight - page.scrollY < 2;
  const frames = () =>
    new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  return { frame, page, reading: page.reading, root, $, style, status, items, isAtEnd, frames };
}

/** Runs in the browser: plays a scene with the page in a frame, and sends its result. */
async function play(script: Script): Promise<void> {
  const failure = new Promise((_, reject) => {
    Object.assign(window, { fail: reject });
    setTimeout(reject, 30_000, 'This scene took longer than 30 s.');
  });
  const loaded = new Promise((resolve) => addEventListener('load', resolve));
  const result = await Promise.race([failure, loaded.then(help).then(script)])
    .catch((error) => String(error.stack ?? error));
  await fetch('/done', { method: 'POST', body: JSON.stringify(result) });
  location.reload(); // To the next scene.
}

const profile = mkdtempSync(join(tmpdir(), 'dante-browser-'));
process.on('exit', () => rmSync(profile, { recursive: true, force: true, maxRetries: 10 }));
const player = new EventEmitter();
const scenes = on(player, 'scene');
const redirects = [{ status: 302, headers: { Location: '/' }, body: '' }]; // Of fresh requests.
const { total, begin } = createStream(MESSAGES, 5);
const app = createApp({ total, begin(reader, from, request) {
  begin(reader, from, request);
  if (from === 0) setTimeout(() => reader.close(4001), 100); // The page reconnects.
} }, { allowedOrigins: new Set() }, async (request, path) => {
  const { url = '', headers } = request;
  if (path === '/done') player.emit('done', await json(request)); // The reply does not matter.
  if (path === '/test') FILES.set(path, (await scenes.next()).value[0]);
  if (/ws\?name=Ann$/.test(url) && headers['cache-control']) return redirects.pop();
  const body = FILES.get(url.split('/')[1] + path) ?? FILES.get(path);
  const type = path.endsWith('.js') ? 'text/javascript' : 'text/html';
  const sent = path === '/' ? index.headers : { 'Content-Type': type };
  return body === undefined ? undefined : { status: 200, headers: sent, body };
});

let browser: ChildProcess | undefined;
before(async () => {
  const url = `http://127.0.0.1:${await listen(app.server)}/test`;
  if (BROWSER) browser = track(spawn(BROWSER, [
    '--headless=new', '--no-sandbox', '--no-first-run', '--disable-gpu',
    '--disable-dev-shm-usage', '--disable-background-networking',
    // Else an elevated Chrome, as in CI, starts another one, which nobody could kill.
    ...(WINDOWS ? ['--do-not-de-elevate'] : []), `--user-data-dir=${profile}`, url,
  ], { stdio: 'ignore', detached: !WINDOWS }));
});
after(() => {
  void app.close();
  if (browser) kill(browser);
});

/**
 * Tests the page in a browser: plays a script with the page below a path, and compares its result.
 * The page is staged, with READING, unless the path is `dante`. `frame` has attributes for it.
 */
export function scene(name: string, script: Script, wanted: unknown, path = 'staged', frame = '') {
  test(name, { skip: !BROWSER && MISSING, timeout: 100_000 }, async () => {
    const attributes = `src="/${path}/${SCRIPT}?name=Ann" width="800" height="568" ${frame}`;
    player.emit('scene', `<body><script>${help}${play}play(${script})</script>
      <iframe ${attributes}></iframe>`);
    assert.deepEqual(await once(player, 'done'), [wanted]);
  });
}
