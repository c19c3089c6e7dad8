import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, on, once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { createApp, SCRIPT } from '../../dist/app.js';
import { loadAssets } from '../../dist/assets.js';
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
  reconnectNow() { this.calls.push('reconnectNow'); }
  restart() { this.heard = 0; this.onClear(); this.set({ name: 'connecting' }); }
  set(state) { this.state = state; this.onState(state); }
  send(...messages) {
    for (const message of messages) {
      this.heard += 1;
      this.set({ name: 'reading' });
      this.onMessage(message);
    }
  }
}`;
const read = (...path: string[]) => readFileSync(join(ROOT, ...path), 'utf8');
/** The scripts of staged pages, by name, or by page and name. */
const SCRIPTS = new Map([
  ['/watch.js', WATCH],
  ['/reading.js', READING],
  ['dante/reading.js', read('public', 'reading.js')],
  ['/render.js', 'export const render = (message) => message;'],
  ['own/render.js', read('public', 'render.js')],
  ['load/render.js', read('test', 'examples', 'load.render.js')],
  ['/form.js', read('test', 'examples', 'form.js')],
  ['secure/client.js', read('public', 'client.js')
    .replace('import.meta.url', "'https://me:secret@dante.example/a/client.js'")],
]);
type Stage = { calls: string[]; set(state: State): void; send(...messages: string[]): void };
type Page = Window & typeof globalThis & { reading: Reading & Options & Stage };

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
  const until = async (condition: () => unknown) => {
    for (const endMs = Date.now() + 20_000; !condition(); await frames()) {
      if (Date.now() > endMs) throw new Error(`Waited 20 s for ${condition}: ${status()}`);
    }
  };
  const { reading } = page;
  return { frame, page, reading, root, $, style, status, items, isAtEnd, frames, until };
}

type Script = (helpers: ReturnType<typeof help>) => unknown;

/** Runs in the browser: plays a scene with the page in a frame, and sends its result. */
async function play(script: Script): Promise<void> {
  const failure = new Promise((_, reject) => Object.assign(window, { fail: reject }));
  const loaded = new Promise((resolve) => addEventListener('load', resolve));
  const result = await Promise.race([failure, loaded.then(() => script(help()))])
    .catch((error) => String(error.stack ?? error));
  await fetch('/done', { method: 'POST', body: JSON.stringify(result) });
  location.reload(); // To the next scene.
}

const FORM = `<form><input name="text"></form>
  <script type="module" src="server-faye.js/form.js"></script>`;
/** The page as it is below /own/; else with a form, and without an end but below /dante/. */
function change(html: string, page: string): string {
  const watched = html.replace('<script', '<script src="server-faye.js/watch.js"></script>$&');
  if (page === 'own') return watched;
  return watched.replace('</main>', `${FORM}$&`).replace(/ data-unit="[^"]*"/, '')
    .replace(/<progress.*?>/, `<progress id="progress" ${page === 'dante' ? 'max="46"' : ''}>`);
}

const profile = mkdtempSync(join(tmpdir(), 'dante-browser-'));
process.on('exit', () => rmSync(profile, { recursive: true, force: true, maxRetries: 10 }));
const player = new EventEmitter();
const scenes = on(player, 'scene');
const index = loadAssets(join(ROOT, 'public')).get('index.html') ?? assert.fail('No page.');
const { total, begin } = createStream(MESSAGES, 5);
const app = createApp({ total, begin(reader, from, request) {
  begin(reader, from, request);
  if (from === 0) setTimeout(() => reader.close(4001), 100); // The page reconnects.
} }, { allowedOrigins: new Set() }, async (request, path) => {
  const { url = '', headers } = request;
  const [, page = ''] = url.split('/');
  const answer = (body: string, type = 'text/javascript') =>
    ({ status: 200, headers: { 'Content-Type': type }, body });
  if (path === '/') return { ...index, status: 200, body: change(String(index.body), page) };
  if (path === '/test') return answer((await scenes.next()).value[0], 'text/html');
  if (path === '/done') {
    player.emit('done', JSON.parse(await text(request)));
    return answer('');
  }
  if (/^\/moved.*\/ws\?name=Ann$/.test(url) && headers['cache-control']) {
    return { status: 302, headers: { Location: '/' }, body: '' };
  }
  const script = SCRIPTS.get(page + path) ?? SCRIPTS.get(path);
  return script === undefined ? undefined : answer(script);
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
    const size = 'style="width: 800px; height: 568px; border: 0"';
    const iframe = `<iframe src="/${path}/${SCRIPT}?name=Ann" ${size} ${frame}></iframe>`;
    player.emit('scene', `<body><script>${help}${play}play(${script})</script>${iframe}`);
    const [result] = await once(player, 'done');
    assert.deepEqual(result, wanted);
  });
}
