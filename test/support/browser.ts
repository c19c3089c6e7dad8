import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, on, once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe } from 'node:test';
import { SCRIPT } from '../../dist/app.js';
import type { Options, Reading, State } from '../../public/reading.js';
import { createStream, startApp } from './app.js';
import { kill, track } from './bounds.js';

export const MESSAGES = Array.from({ length: 46 }, (_, i) => `${i + 1}: dürr, € 𐍈\nline 2\nline 3`);
const WINDOWS = process.platform === 'win32';
const BROWSER = process.env['CHROME_PATH'] || [
  '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome',
  '/usr/bin/microsoft-edge', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:/Program Files/Google/Chrome/Application/chrome.exe',
  'C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe',
].find(existsSync);
const MISSING = 'no browser: install Chrome, Chromium or Edge, or set CHROME_PATH to one';
if (BROWSER && !existsSync(BROWSER)) throw new Error(`CHROME_PATH is ${BROWSER}: not there.`);
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
  restart() { this.heard = 0; this.set({ name: 'connecting' }); }
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

/** Runs in the browser, as scenes do: what they get. */
function help() {
  const frame = document.querySelector('iframe') as HTMLIFrameElement;
  const page = frame.contentWindow as Page;
  const root = page.document.documentElement;
  const $ = <T extends HTMLElement>(selector: string) => root.querySelector(selector) as T;
  const style = (selector: string) => page.getComputedStyle($(selector));
  const status = () => $('#status').textContent;
  const items = () => [...root.querySelectorAll<HTMLElement>('#messages > li')];
  const frames = () =>
    new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  const until = async (condition: () => unknown) => {
    for (const endMs = Date.now() + 20_000; !condition(); await frames()) {
      if (Date.now() > endMs) throw new Error(`Waited 20 s for ${condition}: ${status()}`);
    }
  };
  return { frame, page, reading: page.reading, root, $, style, status, items, frames, until };
}

type Script = (helpers: ReturnType<typeof help>) => unknown;

/** Runs in the browser: plays a scene with the page in a frame, and sends its result. */
async function play(script: Script): Promise<void> {
  const failure = new Promise((_, reject) => Object.assign(window, { fail: reject }));
  const loaded = new Promise((resolve) => addEventListener('load', resolve));
  const scene = loaded.then(() => script(help()));
  const answer = await Promise.race([failure, scene]).then((result) => ({ result }))
    .catch((error) => ({ error: String(error.stack ?? error) }));
  await fetch('/done', { method: 'POST', body: JSON.stringify(answer) });
  location.reload(); // To the next scene.
}

/** Makes a test that plays a scene below a path, by default a staged one, and checks its result. */
type Scene = (script: Script, result?: unknown, path?: string, frame?: string) =>
  () => Promise<void>;

/** Tests the page in a browser. `change` may return another page, depending on its path. */
export function describePage(
  name: string, change: (html: string, path: string) => string, define: (scene: Scene) => void,
) {
  describe(name, { skip: !BROWSER && MISSING, timeout: 100_000 }, () => {
    const profile = mkdtempSync(join(tmpdir(), 'dante-browser-'));
    const player = new EventEmitter();
    const scenes = on(player, 'scene');
    let app: Awaited<ReturnType<typeof startApp>>;
    let browser: ChildProcess;

    before(async () => {
      const { maxFrom, begin } = createStream(MESSAGES, 5);
      app = await startApp({ maxFrom, begin(reader, from, request) {
        begin(reader, from, request);
        if (from === 0) setTimeout(() => reader.close(4001), 100); // The page reconnects.
      } });
      const [respond = assert.fail] = app.server.listeners('request');
      app.server.removeAllListeners('request').on('request', async (request, response) => {
        const { url = '' } = request;
        const isScript = url.endsWith('.js') && !url.endsWith(SCRIPT);
        response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html');
        if (url === '/test') response.end((await scenes.next()).value[0]);
        else if (url === '/watch.js') response.end(WATCH);
        else if (/^\/staged.*\/reading\.js$/.test(url)) response.end(READING);
        else if (/^\/staged-moved.*\/ws$/.test(url) && request.headers['cache-control']) {
          response.writeHead(302, { Location: '/' }).end();
        } else if (url === '/done') {
          response.end();
          player.emit('done', JSON.parse(await text(request)));
        } else if (url.endsWith(`/${SCRIPT}`)) {
          const page = await fetch(`http://127.0.0.1:${app.port}/`);
          const header = 'Content-Security-Policy';
          response.setHeader(header, String(page.headers.get(header)));
          const html = change(await page.text(), url);
          response.end(html.replace('<script', '<script src="/watch.js"></script>$&'));
        } else respond(request, response);
      });
      browser = track(spawn(String(BROWSER), [
        '--headless=new', '--no-sandbox', '--no-first-run', '--disable-gpu',
        '--disable-dev-shm-usage', '--disable-background-networking',
        // Else an elevated Chrome, as in CI, starts another one, which nobody could kill.
        ...(WINDOWS ? ['--do-not-de-elevate'] : []),
        `--user-data-dir=${profile}`, `http://127.0.0.1:${app.port}/test`,
      ], { stdio: 'ignore', detached: !WINDOWS }));
    });

    after(async () => {
      kill(browser);
      await once(browser, 'exit');
      app.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    });

    define((script, expected, path = 'staged', frame = '') => async () => {
      const size = 'style="width: 800px; height: 568px; border: 0"';
      const iframe = `<iframe src="/${path}/${SCRIPT}" ${size} ${frame}></iframe>`;
      player.emit('scene', `<body><script>${help}${play}play(${script})</script>${iframe}`);
      const [{ error, result }] = await once(player, 'done');
      if (error) throw new Error(error);
      assert.deepEqual(result, expected);
    });
  });
}
