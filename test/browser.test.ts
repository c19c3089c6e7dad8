import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { createApp } from '../dist/app.js';
import { kill, track } from './support/bounds.js';

const STANZAS = Array.from({ length: 46 }, (_, i) => `${i + 1}: dürr, € 𐍈\nverse 2\nverse 3`);
const WINDOWS = process.platform === 'win32';
const BROWSER = process.env['CHROME_PATH'] || [
  ...['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'microsoft-edge']
    .map((name) => `/usr/bin/${name}`),
  ...['Google Chrome', 'Chromium', 'Microsoft Edge']
    .map((name) => `/Applications/${name}.app/Contents/MacOS/${name}`),
  ...['PROGRAMFILES', 'PROGRAMFILES(X86)', 'LOCALAPPDATA'].flatMap((folder) =>
    ['Google/Chrome/Application/chrome.exe', 'Microsoft/Edge/Application/msedge.exe']
      .map((path) => join(process.env[folder] ?? '', path))),
].find(existsSync);
const MISSING = 'no browser: install Chrome, Chromium or Edge, or set CHROME_PATH to one';
if (BROWSER && !existsSync(BROWSER)) throw new Error(`CHROME_PATH is ${BROWSER}: not there.`);
if (!BROWSER && process.env['CI'] && !WINDOWS) throw new Error(MISSING);
const OPTIONS = { skip: BROWSER ? false : MISSING, timeout: 60_000 };

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
  connections: string[];
  probed: number;
  send(...messages: string[]): void;
  lose(count?: number): Promise<void>;
};
type Helpers = ReturnType<typeof help>;

/** Runs in the browser, as scenarios do: what they get. */
function help(frame: HTMLIFrameElement) {
  const page = frame.contentWindow as Page;
  const $ = <T extends HTMLElement>(selector: string) => page.document.querySelector(selector) as T;
  const style = (selector: string) => page.getComputedStyle($(selector));
  const status = () => $('#status').textContent;
  const heard = () => [...page.document.querySelectorAll('li')].map((li) => li.textContent.trim());
  const value = () => $<HTMLProgressElement>('progress').value;
  const until = async (condition: () => unknown): Promise<void> => {
    for (const endMs = Date.now() + 20_000; !condition(); ) {
      if (Date.now() > endMs) throw new Error(`Waited 20 s for ${condition}: ${status()}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const root = page.document.documentElement;
  return { frame, page, root, $, style, status, heard, value, until };
}

/** Runs in the browser: plays scenarios with the page in a frame, and sends back their results. */
async function play(): Promise<never> {
  for (;;) {
    const { path, sandbox, code } = await (await fetch('/next')).json();
    const frame = document.createElement('iframe');
    if (sandbox) frame.setAttribute('sandbox', sandbox);
    frame.style.cssText = 'width: 800px; height: 568px; border: 0';
    frame.src = path;
    document.body.replaceChildren(frame);
    await new Promise((resolve) => (frame.onload = resolve));
    const answer = await Promise.resolve()
      .then(() => (0, eval)(code)(help(frame)))
      .then((value) => ({ value }), (error) => ({ error: error.stack }));
    await fetch('/done', { method: 'POST', body: JSON.stringify(answer) });
  }
}

/** Starts a browser, and a server for it. */
async function start(...flags: string[]) {
  const app = createApp(STANZAS, { listen: { port: 0 }, intervalMs: 5, allowedOrigins: new Set() });
  const player = new EventEmitter();
  let scenario = '';
  const server = createServer(async (request, response) => {
    const send = (type: string, body: string) => response.setHeader('Content-Type', type).end(body);
    if (request.url === '/test') {
      send('text/html', `<!DOCTYPE html><body><script>${help}${play}play()</script>`);
    } else if (request.url === '/stage.js') send('text/javascript', STAGE);
    else if (request.url === '/staged' || request.url === '/endless') {
      const page = await (await fetch(`http://127.0.0.1:${port}/`)).text();
      const staged = page.replace('<script', '<script src="stage.js"></script><script');
      send('text/html', request.url === '/staged' ? staged : staged.replace(/ max="\d+"/, ''));
    } else if (request.url === '/next') {
      if (!scenario) await once(player, 'scenario');
      response.end(scenario);
      scenario = '';
    } else if (request.url === '/done') {
      player.emit('done', JSON.parse(await text(request)));
      response.end();
    } else app.server.emit('request', request, response);
  }).on('upgrade', (...args) => app.server.emit('upgrade', ...args));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const profile = mkdtempSync(join(tmpdir(), 'dante-browser-'));
  const child = track(spawn(String(BROWSER), [
    '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
    '--disable-background-networking', '--window-size=1300,800', `--user-data-dir=${profile}`,
    // Else an elevated Chrome, as in CI, starts another one, which nobody could kill.
    ...(WINDOWS ? ['--do-not-de-elevate'] : []), ...flags, `http://127.0.0.1:${port}/test`,
  ], { stdio: 'ignore', detached: !WINDOWS }));
  const exited = once(child, 'exit');

  /** Loads the page in a frame and plays a scenario with it. */
  async function run<T>(
    scene: (helpers: Helpers) => T | Promise<T>,
    { path = '/staged', sandbox = '' } = {},
  ): Promise<T> {
    scenario = JSON.stringify({ path, sandbox, code: `(${scene})` });
    player.emit('scenario');
    const [{ value, error = '' }] = await once(player, 'done');
    assert.equal(error, '');
    return value;
  }

  async function stop(): Promise<void> {
    kill(child);
    await exited;
    server.close();
    server.closeAllConnections();
    app.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  return { run, stop };
}

describe('the page in a browser', () => {
  let browser: Awaited<ReturnType<typeof start>>;
  before(async () => void (BROWSER && (browser = await start())));
  after(() => browser?.stop());

  for (const path of ['/', '/dante/server-faye.js']) {
    test(`${path} shows the whole poem, all from one origin`, OPTIONS, async () => {
      const seen = await browser.run(async ({ page, $, style, heard, value, status, until }) => {
        await until(() => status() === 'The end');
        const loaded = page.performance.getEntriesByType('resource');
        const origins = new Set(loaded.map(({ name }) => new URL(name).origin));
        const verses = $('li').querySelectorAll('.verse').length;
        return [heard(), verses, value(), style('.source').visibility, origins.size];
      }, { path });
      assert.deepEqual(seen, [STANZAS, 3, 46, 'visible', 1]);
    });
  }

  test('each state has its text and label, the same footer, and focus', OPTIONS, async () => {
    const seen = await browser.run(async ({ frame, page, root, $, status, heard, value }) => {
      const said: string[] = [];
      const heights: Record<string, number[]> = {};
      const wide: string[] = [];
      const action = $('#action');
      for (const act of [
        () => action.focus(),
        () => page.send(''),
        () => page.send(...Array(45).fill('Midway upon the journey of our life')),
        () => page.lose(7),
        () => (action.click(), page.send(''), action.click()), // Reconnect, Pause
        () => (action.click(), (page.probed = 404), page.lose(3)), // Continue
        () => (action.click(), page.send('Then he moved on, and I behind him followed.')), // Retry
        () => {
          said.push(`${value()} ${heard().length}`);
          // A double click on "Read again" reads again.
          for (const detail of [1, 2]) action.dispatchEvent(new MouseEvent('click', { detail }));
        },
      ]) {
        await act();
        const focus = page.document.activeElement === action ? '' : ', no focus';
        said.push(`${status()} [${action.textContent}] ${$('#status').ariaLive}${focus}`);
        for (const width of [320, 360, 480, 768, 1280]) for (const size of [100, 200]) {
          frame.style.width = `${width}px`;
          root.style.fontSize = `${size}%`;
          const { height } = $('footer').getBoundingClientRect();
          (heights[`${width} px, ${size} %`] ??= []).push(Math.round(height));
          for (const element of page.document.querySelectorAll('body *')) {
            const { left, right } = element.getBoundingClientRect();
            if (left < -0.5 || right > page.innerWidth + 0.5) wide.push(element.outerHTML);
          }
        }
      }
      said.push(`${value()} ${heard().length}`);
      return { said, heights, wide, connections: page.connections };
    });
    assert.deepEqual(seen.said, [
      'Connecting… [Pause] polite',
      'Connected [Pause] polite',
      'Message 45 of 46 [Pause] off',
      'Connection lost, retrying in 15 s [Reconnect] polite',
      'Paused at 45 of 46 [Continue] polite',
      'Connection refused [Retry] polite',
      'The end [Read again] polite',
      '46 46',
      'Connecting… [Pause] polite',
      '0 0',
    ]);
    for (const [where, [height = NaN, ...others]] of Object.entries(seen.heights)) {
      assert.ok(others.every((other) => other === height), `${where}: ${height}, ${others}`);
      // At 100 % one row, at 200 % less than a third of a small phone.
      assert.ok(height < (where.endsWith('100 %') ? 70 : 568 / 3), `${where}: ${height}`);
    }
    const froms = [0, ...Array<number>(11).fill(45), 0];
    assert.deepEqual(seen.connections, froms.map((from) => `ws:?from=${from}`));
    assert.deepEqual(seen.wide, []);
  });

  test('a page that is online, visible or shown again reconnects', OPTIONS, async () => {
    const seen = await browser.run(async ({ page, $, status }) => {
      let visible = true;
      Object.defineProperty(page.document, 'visibilityState', {
        get: () => (visible ? 'visible' : 'hidden'),
      });
      const fire = (type: string, target: EventTarget = page, persisted = true): string => {
        target.dispatchEvent(new PageTransitionEvent(type, { persisted }));
        return `${status().replace(/,.*/, '')} ${page.connections.length}`;
      };
      const cache = () => [fire('pagehide'), fire('pageshow', page, false), fire('pageshow')];
      page.send('one');
      page.lose();
      visible = false;
      const said = [[fire('visibilitychange', page.document)]];
      visible = true;
      said.push([fire('visibilitychange', page.document)]);
      page.lose();
      said.push([fire('online')], cache());
      page.send('two');
      said.push(cache());
      page.lose();
      said.push(cache());
      $('#action').click(); // Pause
      said.push(cache());
      $('#action').click(); // Continue
      page.probed = 404;
      await page.lose(3);
      said.push(cache());
      return said;
    });
    assert.deepEqual(seen, [
      ['Connection lost 1'],
      ['Connecting… 2'],
      ['Connecting… 3'],
      ['Paused at 1 of 46 3', 'Paused at 1 of 46 3', 'Connecting… 4'],
      ['Paused at 2 of 46 4', 'Paused at 2 of 46 4', 'Connecting… 5'],
      ['Paused at 2 of 46 5', 'Paused at 2 of 46 5', 'Connecting… 6'],
      ['Paused at 2 of 46 6', 'Paused at 2 of 46 6', 'Paused at 2 of 46 6'],
      ['Connection refused 9', 'Connection refused 9', 'Connection refused 9'],
    ]);
  });

  test('a reader at the end of the page follows it at any size', OPTIONS, async () => {
    await browser.run(async ({ frame, page, root, $, until }) => {
      const send = (count = 5): void => page.send(...Array(count).fill('verse '.repeat(30)));
      const scroll = (top: number): Promise<unknown> => new Promise((resolve) => {
        page.addEventListener('scroll', resolve, { once: true });
        page.scrollTo(0, top);
      });
      const left = (): number => root.scrollHeight - page.innerHeight - page.scrollY;
      const followed = (): Promise<void> => until(() => left() < 2);
      const frames = (): Promise<unknown> => new Promise((resolve) =>
        page.requestAnimationFrame(() => page.requestAnimationFrame(resolve)));
      for (const change of [
        () => {},
        () => (frame.style.width = '320px'),
        () => (frame.style.height = '320px'),
        () => (frame.style.height = '1200px'),
        () => (frame.style.height = '900px'), // No margin depends on such a height.
        () => (root.style.fontSize = '200%'),
      ]) {
        change();
        await followed();
        await frames();
        send();
        if (left() > 2) throw new Error(`${left()} px from the end after ${change}`);
        await frames();
      }
      await scroll(50);
      frame.style.width = '500px';
      await until(() => page.innerWidth === 500);
      await frames();
      send();
      await frames();
      if (page.scrollY !== 50) throw new Error(`It follows a reader to ${page.scrollY}.`);
      root.style.fontSize = '100%'; // So that a stanza, not the source, is at the top.
      await scroll(root.scrollHeight);
      send();
      await followed();
      page.scrollTo(0, 50);
      send(1);
      if (page.scrollY !== 50) throw new Error('It follows a reader who has just scrolled.');
      frame.style.height = '200px';
      await frames();
      await scroll(0);
      send(46 - 41);
      $('#action').click(); // Read again
      send();
      await followed();
    });
  });

  test('a long word does not widen the page, and a verse has room for words', OPTIONS, async () => {
    const [wide, ems] = await browser.run(({ frame, page, root, style }) => {
      frame.style.width = '320px';
      root.style.fontSize = '200%';
      page.send('x'.repeat(10_000));
      const { width, paddingLeft, fontSize } = style('.verse');
      const room = parseFloat(width) - parseFloat(paddingLeft);
      return [root.scrollWidth > page.innerWidth, room / parseFloat(fontSize)] as const;
    });
    assert.equal(wide, false);
    assert.ok(ems > 6, `${ems} em`);
  });

  test('a page without max has no end', OPTIONS, async () => {
    const seen = await browser.run(({ page, $, status }) => {
      page.send(...Array(47).fill('verse'));
      const { position } = $<HTMLProgressElement>('progress');
      return [position, status(), $('#action').click(), status()];
    }, { path: '/endless' });
    assert.deepEqual(seen, [-1, 'Message 47', null, 'Paused at 47']);
  });

  test('without JavaScript the page shows a notice and no footer', OPTIONS, async () => {
    const scene = ({ $, style }: Helpers) => [$('main').innerText.trim(), style('footer').display];
    const seen = await browser.run(scene, { path: '/', sandbox: 'allow-same-origin' });
    assert.match(seen.join(), /^This page needs JavaScript.*,none$/s);
  });

  test('print hides the footer, and does not split or fade stanzas', OPTIONS, async () => {
    const seen = await browser.run(({ page, style }) => {
      page.send('verse');
      for (const rule of page.document.styleSheets[0]?.cssRules ?? []) {
        const { media } = rule as CSSMediaRule;
        if (media?.mediaText.includes('print')) media.mediaText = 'all';
      }
      const { opacity, breakInside } = style('li');
      return [opacity, breakInside, style('footer').display, style('.source').visibility];
    });
    assert.deepEqual(seen, ['1', 'avoid', 'none', 'hidden']);
  });

  test('in forced colors the progress bar has system colors', OPTIONS, async (t) => {
    const forced = await start('--force-high-contrast');
    t.after(() => forced.stop());
    const seen = await forced.run(({ page, style }) => [
      page.matchMedia('(forced-colors: active)').matches,
      style('progress').forcedColorAdjust, style('progress').getPropertyValue('--rubric'),
    ]);
    assert.deepEqual(seen, [true, 'none', 'Highlight']);
  });
});
