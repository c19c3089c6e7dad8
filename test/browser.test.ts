import './support/bounds.js';
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { createStream, startApp } from './support/app.js';
import { kill, track } from './support/bounds.js';
import { ROOT } from './support/program.js';

const STANZAS = Array.from({ length: 46 }, (_, i) => `${i + 1}: dürr, € 𐍈\nverse 2\nverse 3`);
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

/** Runs before the page's scripts: sockets, probes and time are the test's. */
const STAGE = `let last, timer, nowMs = 0;
  Object.assign(window, {
    connections: [], probed: 0,
    WebSocket: class {
      constructor({ protocol, search }) { connections.push(protocol + search); last = this; }
      close() {}
    },
    fetch: async ({ pathname }, { cache }) =>
      ({ status: pathname.endsWith('/ws') && cache === 'no-store' ? probed : 0 }),
    setTimeout(callback) { timer = callback; }, clearTimeout() { timer = undefined; },
    send(...all) { last.onopen({}); for (const data of all) last.onmessage({ data }); },
    async lose(count = 1) {
      for (let i = 0; i < count; i += 1) {
        nowMs += 20_000;
        if (i) timer();
        last.onclose({ code: 1006 });
        for (let turn = 0; turn < 9; turn += 1) await undefined; // The probe is answered.
      }
    },
  });
  performance.now = () => nowMs;
  Math.random = () => 0.9999;`;

type Page = Window & typeof globalThis & {
  connections: string[]; probed: number;
  send(...messages: string[]): void; lose(count?: number): Promise<void>;
};

/** Runs in the browser, as scenes do: what they get. */
function help(frame: HTMLIFrameElement) {
  const page = frame.contentWindow as Page;
  const root = page.document.documentElement;
  const $ = <T extends HTMLElement>(selector: string) => root.querySelector(selector) as T;
  const style = (selector: string) => page.getComputedStyle($(selector));
  const status = () => $('#status').textContent;
  const heard = () => [...root.querySelectorAll('li')].map((li) => li.textContent.trim());
  const progress = $<HTMLProgressElement>('progress');
  const nextFrame = () => new Promise(requestAnimationFrame);
  const frames = () => nextFrame().then(nextFrame);
  const until = async (condition: () => unknown) => {
    for (const endMs = Date.now() + 20_000; !condition(); await frames()) {
      if (Date.now() > endMs) throw new Error(`Waited 20 s for ${condition}: ${status()}`);
    }
  };
  return { frame, page, root, $, style, status, heard, progress, frames, until };
}

/** Runs in the browser: plays scenes with the page in a frame, and sends back their results. */
async function play(): Promise<never> {
  for (let answer = {}; ; ) {
    const body = JSON.stringify(answer);
    const { iframe, code } = await (await fetch('/next', { method: 'POST', body })).json();
    document.body.innerHTML = iframe;
    const frame = document.querySelector('iframe') as HTMLIFrameElement;
    await new Promise((resolve) => (frame.onload = resolve));
    const result = (async () => (0, eval)(code)(help(frame)))();
    answer = { result: await result.catch((error) => error.stack) };
  }
}

describe('the page in a browser', { skip: !BROWSER && MISSING, timeout: 100_000 }, () => {
  const profile = mkdtempSync(join(tmpdir(), 'dante-browser-'));
  const player = new EventEmitter();
  let app: Awaited<ReturnType<typeof startApp>>;
  let browser: ChildProcess;

  before(async () => {
    const page = readFileSync(join(ROOT, 'public', 'index.html'), 'utf8');
    const staged = page.replace('<script', `<script>${STAGE}</script><script`);
    const pages = new Map([
      ['/test', `<!DOCTYPE html><body><script>${help}${play}play()</script>`],
      ['/staged', staged],
      ['/endless', staged.replace(/ max="\d+"/, '')],
    ]);
    app = await startApp(createStream(STANZAS, 5));
    const [respond = assert.fail] = app.server.listeners('request');
    app.server.removeAllListeners('request').on('request', async (request, response) => {
      const html = pages.get(String(request.url));
      if (html) response.setHeader('Content-Type', 'text/html').end(html);
      else if (request.url === '/next') {
        player.emit('done', JSON.parse(await text(request)));
        response.end(String(await once(player, 'scene')));
      } else respond(request, response);
    });
    browser = track(spawn(String(BROWSER), [
      '--headless=new', '--no-sandbox', '--no-first-run', '--disable-gpu', '--force-high-contrast',
      '--disable-dev-shm-usage', '--disable-background-networking', `--user-data-dir=${profile}`,
      // Else an elevated Chrome, as in CI, starts another one, which nobody could kill.
      ...(WINDOWS ? ['--do-not-de-elevate'] : []), `http://127.0.0.1:${app.port}/test`,
    ], { stdio: 'ignore', detached: !WINDOWS }));
    await once(player, 'done'); // It is ready.
  });

  after(async () => {
    kill(browser);
    await once(browser, 'exit');
    app.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  });

  type Script = (helpers: ReturnType<typeof help>) => unknown;
  /** A test that plays a scene with a page in a frame, and checks what the scene returns. */
  const scene = (script: Script, expected?: unknown, page = 'src="/staged"') => async () => {
    const iframe = `<iframe style="width: 800px; height: 568px; border: 0" ${page}></iframe>`;
    player.emit('scene', JSON.stringify({ iframe, code: `(${script})` }));
    const [{ result }] = await once(player, 'done');
    assert.deepEqual(result, expected); // It is the stack of an error if there was one.
  };

  test('below any path the page shows the whole poem from one origin', scene(async (helpers) => {
    const { page, $, style, heard, progress, status, until } = helpers;
    await until(() => status() === 'The end');
    const loaded = page.performance.getEntriesByType('resource');
    const origins = new Set(loaded.map(({ name }) => new URL(name).origin));
    const { visibility } = style('.source');
    return [heard(), $('li').children.length, progress.value, visibility, origins.size];
  }, [STANZAS, 3, 46, 'visible', 1], 'src="/dante/server-faye.js"'));

  test('each state has its text, label and focus, and fits every size', scene(async (helpers) => {
    const { frame, page, root, $, style, status, heard, progress } = helpers;
    const said: string[] = [];
    const heights: Record<string, number> = {};
    const action = $('#action');
    const click = (detail: number) => action.dispatchEvent(new MouseEvent('click', { detail }));
    for (const act of [
      () => action.focus(),
      () => page.send(''),
      () => page.send('x'.repeat(9999), ...Array(44).fill('Midway upon the journey of our life')),
      () => page.lose(7),
      () => (action.click(), page.send(''), action.click()), // Reconnect, Pause
      () => (action.click(), (page.probed = 404), page.lose(3)), // Continue
      () => (action.click(), page.send('Then he moved on, and I behind him followed.')), // Retry
      () => [1, 2].forEach(click), // Read again; a double click is one.
    ]) {
      await act();
      if (page.document.activeElement !== action) throw new Error('The button lost its focus.');
      const rest = [$('#status').ariaLive, progress.value, heard().length, page.connections.length];
      said.push(`${status()} [${action.textContent}] ${rest.join(' ')} ${page.connections.at(-1)}`);
      for (const width of [1280, 768, 480, 360, 320]) for (const size of [100, 200]) {
        frame.style.width = `${width}px`;
        root.style.fontSize = `${size}%`;
        const where = `${width} px, ${size} %`;
        const isCut = [...root.querySelectorAll('*')].some((e) => e.getBoundingClientRect().x < 0);
        const isWide = root.scrollWidth > root.clientWidth;
        const height = $('footer').offsetHeight;
        const limit = size === 100 ? 70 : 568 / 3; // One row; a third of a small phone.
        const isHigh = height > limit || height !== (heights[where] ??= height);
        if (isCut || isWide || isHigh) throw new Error(`${said.at(-1)} does not fit ${where}.`);
      }
    }
    page.send('verse');
    const { width, paddingLeft, fontSize } = style('.verse');
    const ems = (parseFloat(width) - parseFloat(paddingLeft)) / parseFloat(fontSize);
    if (!(ems > 6)) throw new Error(`A verse has ${ems} em, too few for words.`);
    return said;
  }, [
    'Connecting… [Pause] polite 0 0 1 ws:?from=0',
    'Connected [Pause] polite 0 0 1 ws:?from=0',
    'Message 45 of 46 [Pause] off 45 45 1 ws:?from=0',
    'Connection lost, retrying in 15 s [Reconnect] polite 45 45 7 ws:?from=45',
    'Paused at 45 of 46 [Continue] polite 45 45 8 ws:?from=45',
    'Connection refused [Retry] polite 45 45 11 ws:?from=45',
    'The end [Read again] polite 46 46 12 ws:?from=45',
    'Connecting… [Pause] polite 0 0 13 ws:?from=0',
  ]));

  test('a page that is online, visible or shown again reconnects', scene(async (helpers) => {
    const { page, $, status } = helpers;
    const fire = (type: string) => {
      page.document.dispatchEvent(new Event(type, { bubbles: true }));
      return `${status().replace(/,.*/, '')} ${page.connections.length}`;
    };
    page.send('one');
    page.lose();
    const said = [['hidden', 'visible'].map((value) => {
      Object.defineProperty(page.document, 'visibilityState', { value, configurable: true });
      return fire('visibilitychange');
    })];
    page.lose();
    for (const act of [
      () => fire('online'),
      () => page.send('two'),
      () => page.lose(),
      () => $('#action').click(), // Pause
      () => ($('#action').click(), (page.probed = 404), page.lose(3)), // Continue
    ]) {
      await act();
      said.push([fire('pagehide'), fire('pageshow')]);
    }
    return said;
  }, [
    ['Connection lost 1', 'Connecting… 2'],
    ['Paused at 1 of 46 3', 'Connecting… 4'],
    ['Paused at 2 of 46 4', 'Connecting… 5'],
    ['Paused at 2 of 46 5', 'Connecting… 6'],
    ['Paused at 2 of 46 6', 'Paused at 2 of 46 6'],
    ['Connection refused 9', 'Connection refused 9'],
  ]));

  test('a reader at the end of the page follows it at any size', scene(async (helpers) => {
    const { frame, page, root, $, frames, until } = helpers;
    const send = (count = 5) => page.send(...Array(count).fill('verse '.repeat(30)));
    const end = () => root.scrollHeight - page.innerHeight - page.scrollY < 2;
    const top = () => page.scrollY === 50;
    for (const [place, act] of [
      [end, () => (frame.style.width = '320px')],
      [end, () => (frame.style.height = '320px')],
      [end, () => (frame.style.height = '1200px')],
      [end, () => (frame.style.height = '900px')], // No margin depends on such a height.
      [end, () => (root.style.fontSize = '200%')],
      [top, async () => (page.scrollTo(0, 50), await frames(), (frame.style.width = '500px'))],
      // So that a stanza, not the source, is at the top.
      [end, () => ((root.style.fontSize = '100%'), page.scrollTo(0, root.scrollHeight))],
    ] as const) {
      await act();
      await until(place);
      await frames();
      send();
      if (!place()) throw new Error(`It is at ${page.scrollY} px after ${act}.`);
      await frames();
    }
    page.scrollTo(0, 50);
    send(11);
    if (!top()) throw new Error('It follows a reader who has just scrolled.');
    frame.style.height = '200px';
    page.scrollTo(0, 0);
    await frames();
    $('#action').click(); // Read again
    send();
    await until(end);
  }));

  test('a page without max has no end', scene(({ page, $, status, progress }) => {
    page.send(...Array(47).fill('verse'));
    return [progress.position, status(), $('#action').click(), status()];
  }, [-1, 'Message 47', null, 'Paused at 47'], 'src="/endless"'));

  test('without JavaScript the page shows a notice and no footer', scene(({ $, style }) => [
    $('main').innerText.trim().startsWith('This page needs JavaScript'), style('footer').display,
  ], [true, 'none'], 'src="/" sandbox="allow-same-origin"'));

  test('print hides the footer, and forced colors change the bar', scene(({ page, style }) => {
    page.send('verse');
    for (const { media } of page.document.styleSheets[0]?.cssRules as Iterable<CSSMediaRule>) {
      if (media?.mediaText.includes('print')) media.mediaText = 'all';
    }
    const [{ opacity, breakInside }, bar] = [style('li'), style('progress')];
    const print = [opacity, breakInside, style('footer').display, style('.source').visibility];
    return [...print, bar.forcedColorAdjust, bar.getPropertyValue('--rubric')];
  }, ['1', 'avoid', 'none', 'hidden', 'none', 'Highlight']));
});
