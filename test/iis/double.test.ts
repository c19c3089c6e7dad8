import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { behaviours, siteAt, whole } from '../support/behaviours.js';
import { Browser, browserMissing } from '../support/browser.js';
import { Iis } from './iis.js';
import { ROOT, startServer } from '../support/program.js';
import { connectTo, exchange, handshake } from '../support/raw.js';
import { openReader, type Reader } from '../support/reader.js';
import { connectReal, loadReading, type State } from '../support/reading.js';
import { copySite, MESSAGES } from '../support/site.js';
import { until, within } from '../support/until.js';
import { parseWebConfig } from './webconfig.js';

type After = Pick<TestContext, 'after'>;

/** A copy of the project with its web.config changed, hosted by the double of IIS. */
async function host(
  t: After,
  { config = (text: string): string => text, change = (_root: string): void => {}, interval = 20 } = {},
): Promise<{ iis: Iis; root: string }> {
  const root = copySite(t);
  const file = join(root, 'web.config');
  writeFileSync(file, config(readFileSync(file, 'utf8')));
  change(root);
  // The canto is told `timeScale` times faster than in two-second steps, and so passes the grace.
  const iis = await Iis.start({ root, env: { INTERVAL_MS: String(interval) }, timeScale: 2000 / interval });
  t.after(() => iis.close());
  return { iis, root };
}

const get = async (iis: Iis, path: string): Promise<{ status: number; text: string }> => {
  const response = await fetch(`http://127.0.0.1:${iis.port}${path}`);
  return { status: response.status, text: await response.text() };
};

const read = (iis: Iis): Reader => openReader(`ws://127.0.0.1:${iis.port}/dante/server-faye.js/ws`);

/** Six who begin to read and go without a word: the tab closed, the machine asleep. */
async function comeAndGo(iis: Iis): Promise<void> {
  const sockets = Array.from({ length: 6 }, () => connectTo(iis.port).on('error', () => {})); // They are reset.
  for (const socket of sockets) socket.write(handshake('/dante/server-faye.js/ws'));
  await Promise.all(sockets.map((socket) => once(socket, 'data')));
  for (const socket of sockets) socket.resetAndDestroy();
  // Six that are counted off twice, and the three or fewer who stay.
  await until(() => iis.active <= 0, 'iisnode to take the process for idle');
}

async function assertWhole({ messages, closed }: Reader): Promise<void> {
  assert.deepEqual(await closed, { code: 1000, reason: '' });
  assert.deepEqual(messages, MESSAGES);
}

const change = (path: string): void => utimesSync(path, new Date(), new Date(Date.now() + 5000));

/** What web.config is there for: each check fails when its line is missing. */
const promises: { name: string; line: RegExp; check(t: After, config?: (text: string) => string): Promise<void> }[] = [
  {
    name: 'the handshake reaches Node and not the WebSocket module of IIS',
    line: /^.*<webSocket .*\n/m,
    async check(t, config) {
      const { iis } = await host(t, { config });
      const { status } = await exchange(iis.port, handshake('/dante/server-faye.js/wsx'));
      assert.equal(status, 404);
    },
  },
  {
    name: 'nothing else of the folder can be asked for',
    line: /^.*<clear \/>.*\n/m,
    async check(t, config) {
      const { iis, root } = await host(t, { config });
      await get(iis, '/dante/server-faye.js');
      const files = readdirSync(root, { recursive: false }).map(String).filter((name) => name !== 'server-faye.js');
      assert.ok(files.length >= 6 && existsSync(join(root, 'iisnode')));
      const log = `iisnode/${readdirSync(join(root, 'iisnode'))[0]}`;
      for (const path of [...files, '', ' ', log, 'iisnode/', 'dist/server.js', 'dist/server.js.map', 'src/app.ts', 'public/index.html', 'node_modules/faye-websocket/package.json', 'PACKAGE.JSON', 'server-faye.jsx', '%70ackage.json']) {
        const { status, text } = await get(iis, `/dante/${path}`);
        assert.ok(status === 404 || status === 403, `${path}: ${status}`);
        assert.match(text, /IIS 8\.0 Detailed Error/);
      }
    },
  },
  {
    name: 'server-faye.js goes to iisnode, and so does all below it, whatever the verb',
    line: /^.*<add .*\n/m,
    async check(t, config) {
      const { iis } = await host(t, { config });
      assert.match((await get(iis, '/dante/server-faye.js')).text, /^<!doctype html>/);
      assert.match((await get(iis, '/dante/server-faye.js/style.css')).text, /--paper/);
      const { status } = await fetch(`http://127.0.0.1:${iis.port}/dante/server-faye.js`, { method: 'DELETE' });
      assert.equal(status, 405);
    },
  },
  {
    name: 'our own words come through with a 404 and a 426',
    line: /^.*<httpErrors .*\n/m,
    async check(t, config) {
      const { iis } = await host(t, { config });
      assert.match((await get(iis, '/dante/server-faye.js/nothing')).text, /^There is nothing here/);
      assert.match((await get(iis, '/dante/server-faye.js/ws')).text, /^This is a WebSocket stream/);
      const { body } = await exchange(iis.port, handshake('/dante/server-faye.js/ws?from=x'));
      assert.match(body, /^from is "x"/);
    },
  },
  {
    name: '1500 readers are read to at once by one process',
    line: /^ *maxConcurrentRequestsPerProcess=.*\n/m,
    async check(t, config) {
      const { iis } = await host(t, { config, interval: 1000 });
      assert.equal((await get(iis, '/dante/server-faye.js')).status, 200);
      const readers: Reader[] = [];
      t.after(() => readers.forEach(({ socket }) => socket.close()));
      const endings: unknown[] = [];
      // A hundred handshakes at a time: more would fill the queue of the pipe, where iisnode tries again.
      while (readers.length < 1500) {
        const wave = Array.from({ length: 100 }, () => read(iis));
        readers.push(...wave);
        endings.push(...(await Promise.all(wave.map(({ opened, closed }) => Promise.race([opened, closed])))));
      }
      assert.equal(endings.filter(Boolean).length, 0, 'readers were turned away');
      await until(() => readers.every(({ messages }) => messages.length >= 2), 'two stanzas each', 15_000);
      assert.equal(iis.started, 1);
    },
  },
  {
    name: 'a deployment in the middle of it costs nobody anything, also after others have left',
    line: /^ *watchedFiles=.*\n/m,
    async check(t, config) {
      const { iis, root } = await host(t, { config });
      const stayers = Array.from({ length: 3 }, () => read(iis));
      await until(() => stayers.every(({ messages }) => messages.length >= 2), 'all to begin');
      await comeAndGo(iis);
      change(join(root, 'server-faye.js'));
      iis.scan();
      assert.equal((await get(iis, '/dante/server-faye.js')).status, 200);
      for (const stayer of stayers) await within(assertWhole(stayer), 'the end', 5000);
      assert.equal(iis.started, 1);
    },
  },
  {
    name: 'nobody can debug below the script',
    line: /^ *debuggingEnabled=.*\n/m,
    async check(t, config) {
      const { iis } = await host(t, { config });
      assert.match((await get(iis, '/dante/server-faye.js/debug')).text, /^There is nothing here/);
    },
  },
  {
    name: 'an error is a 500 without a stack trace',
    line: /^ *devErrorsEnabled=.*\n/m,
    async check(t, config) {
      const { iis, root } = await host(t, { config });
      rmSync(join(root, 'dist'), { recursive: true });
      const { status, text } = await get(iis, '/dante/server-faye.js');
      assert.equal(status, 500);
      assert.doesNotMatch(text, /npm install| at /);
    },
  },
];

describe('as it is hosted in IIS', { timeout: 120_000 }, () => {
  let iis: Iis;
  let site: { after(callback: () => void): void; run(): void };
  before(async () => {
    const callbacks: (() => unknown)[] = [];
    site = { after: (callback) => callbacks.push(callback), run: () => callbacks.reverse().forEach((callback) => callback()) };
    ({ iis } = await host(site));
  });
  after(() => site.run());

  for (const { name, check } of [...behaviours, whole]) {
    test(name, async () => void (await check(siteAt(iis.port, '/dante/server-faye.js'))));
  }

  test('a browser reads to the end there, and says so with the last message', { skip: browserMissing() }, async () => {
    const browser = await Browser.launch();
    try {
      // How long after the last message the end stood there, in milliseconds.
      const before = `new MutationObserver(() => {
        if (document.querySelectorAll('#messages li').length === ${MESSAGES.length}) window.lastAt ??= performance.now();
        if (document.querySelector('#status')?.textContent === 'The end') window.endAt ??= performance.now();
      }).observe(document, { subtree: true, childList: true, characterData: true });`;
      const page = await browser.open(`http://localhost:${iis.port}/dante/server-faye.js`, { before });
      await page.wait('window.endAt');
      assert.ok(await page.evaluate<number>('endAt - lastAt') < 500);
      const told = await page.evaluate<string[]>(
        `[...document.querySelectorAll('#messages li')].map((item) => item.innerText.trim())`,
      );
      assert.deepEqual(told, MESSAGES);
      assert.deepEqual(page.errors, []);
    } finally {
      await browser.close();
    }
  });

  test('one process has done all of it', () => assert.equal(iis.started, 1));

  test('other applications are none of it', async () => {
    for (const path of ['/', '/server-faye.js', '/dantex/server-faye.js', '/x/dante/server-faye.js']) {
      assert.equal((await get(iis, path)).status, 404);
    }
  });
});

// Most of what follows waits, and each test has a host of its own.
describe('IIS', { timeout: 120_000, concurrency: 3 }, () => {
  describe('web.config', { concurrency: 2 }, () => {
    const text = readFileSync(join(ROOT, 'web.config'), 'utf8');

    for (const { name, line, check } of promises) {
      test(name, (t) => check(t));
      test(`without its line, it does not hold that ${name}`, async (t) => {
        assert.match(text, line);
        await assert.rejects(check(t, (whole) => whole.replace(line, '')));
      });
    }

    test('no line of it is without its promise', () => {
      const lines = promises.reduce((rest, { line }) => rest.replace(line, ''), text.replace(/<!--[^]*?-->/g, ''));
      assert.equal(
        lines.replace(/\s+/g, ''),
        '<?xmlversion="1.0"encoding="utf-8"?><configuration><system.webServer><handlers></handlers><iisnode/></system.webServer></configuration>',
      );
    });

    test('the limit of iisnode is well above the 5000 of IIS', () => {
      assert.ok(parseWebConfig(text).iisnode.maxConcurrentRequestsPerProcess >= 10_000);
    });

    test('what iisnode 0.2 does not know is refused, as IIS does with 500.19', () => {
      assert.throws(() => parseWebConfig(text.replace(' debuggingEnabled=', ' debugEnabled=')), /500\.19.*debugEnabled/);
      assert.throws(() => parseWebConfig(text.replace('<clear />', '<clean />')), /500\.19.*clean/);
      assert.throws(() => parseWebConfig(text.replace('</handlers>', '')), /500\.19/);
    });
  });

  describe('what iisnode does to requests', { concurrency: 4 }, () => {
    const STREAM = '/dante/server-faye.js/ws';

    /** Hosts dante with one of its remedies taken out of a file of dist/. */
    const hostWithout = (t: After, file: string, remedy: string, replacement = ''): ReturnType<typeof host> =>
      host(t, {
        change: (root) => {
          const path = join(root, 'dist', file);
          const code = readFileSync(path, 'utf8');
          assert.ok(code.includes(remedy), `${file} has no ${remedy}`);
          writeFileSync(path, code.replaceAll(remedy, replacement));
        },
      });

    const afterRefusals = async ({ iis }: { iis: Iis }): Promise<number[]> => {
      const statuses: number[] = [];
      for (let i = 0; i < 20; i += 1) {
        if (i % 2) await get(iis, STREAM);
        else await exchange(iis.port, handshake(STREAM, { 'Sec-WebSocket-Version': '8' }));
        await sleep(5); // The pipe needs a moment to close.
        statuses.push((await get(iis, '/dante/server-faye.js/client.js')).status);
      }
      return statuses;
    };

    test('a pipe that closes with a refusal is not used again: Connection ends in close', async (t) => {
      assert.deepEqual([...new Set(await afterRefusals(await host(t)))], [200]);
      const without = await hostWithout(t, 'app.js', 'Upgrade, close', 'close, Upgrade');
      assert.ok((await afterRefusals(without)).includes(500));
    });

    test('an idle pipe is given up by iisnode, not by Node: keepAliveTimeout', async (t) => {
      const afterSilence = async ({ iis }: { iis: Iis }): Promise<number[]> => {
        const ask = async (): Promise<number> => (await get(iis, '/dante/server-faye.js/client.js')).status;
        await Promise.all([ask(), ask(), ask(), ask()]);
        await sleep(7000); // Node gives one up after 5 s, and newer ones a second later.
        return Promise.all([ask(), ask(), ask(), ask()]);
      };
      const hosts = [await host(t), await hostWithout(t, 'iisnode.js', 'server.keepAliveTimeout =', 'void')];
      const [withIt = [], without = []] = await Promise.all(hosts.map(afterSilence));
      assert.deepEqual(withIt, [200, 200, 200, 200]);
      assert.ok(without.includes(500), String(without));
    });

    test('a handshake whose Connection was replaced is one: the whole stream, a pong, the refusals', async (t) => {
      const Connection = 'keep-alive, Upgrade';
      const { iis } = await host(t);
      const url = `ws://127.0.0.1:${iis.port}${STREAM}`;
      const readers = Array.from({ length: 100 }, () => openReader(url, { Connection }));
      const pong = new Promise<void>((resolve) => readers[0]?.socket.on('open', () => readers[0]?.socket.ping('there?', resolve)));
      for (const reader of readers) await assertWhole(reader);
      await pong;
      const back = openReader(`${url}?from=44`, { Connection });
      assert.equal((await back.closed).code, 1000);
      assert.deepEqual(back.messages, MESSAGES.slice(44));
      for (const [target, changes, status] of [
        [`${STREAM}?from=x`, {}, 400],
        [`${STREAM}x`, {}, 404],
        [STREAM, { 'Sec-WebSocket-Version': '8' }, 426],
        [STREAM, { Origin: 'https://stranger.example' }, 403],
      ] as const) {
        assert.equal((await exchange(iis.port, handshake(target, { Connection, ...changes }))).status, status);
      }
      const without = await hostWithout(t, 'server.js', 'IISNODE_VERSION', 'NOTHING');
      assert.equal((await exchange(without.iis.port, handshake(STREAM, { Connection }))).status, 426);
    });

    test('self-hosted, a Connection without Upgrade is no handshake (RFC 6455 section 4.2.1)', async (t) => {
      const { child, port } = await startServer();
      t.after(() => child.kill('SIGKILL'));
      const { status } = await exchange(port, handshake('/ws', { Connection: 'keep-alive' }), { whole: true });
      assert.equal(status, 426);
    });

    test('its path arrives decoded: a name with a space, or beyond ASCII, is a 400', async (t) => {
      const { iis } = await host(t, { change: (root) => writeFileSync(join(root, 'public', 'my file.txt'), 'x') });
      assert.equal((await get(iis, '/dante/server-faye.js/my%20file.txt')).status, 400);
    });

    test('where files are watched, a change starts nothing, the next request does', async (t) => {
      const { iis, root } = await host(t, { config: (text) => text.replace(/^ *watchedFiles=.*\n/m, '') });
      await get(iis, '/dante/server-faye.js');
      change(join(root, 'server-faye.js'));
      iis.scan();
      assert.equal(iis.started, 1);
      await get(iis, '/dante/server-faye.js');
      assert.equal(iis.started, 2);
      await until(() => iis.pids.length === 1, 'the old process to end');
    });
  });

  describe('the page, through it', { concurrency: 4 }, () => {
    for (const [what, strike, config] of [
      ['a deployment where files are watched', async (iis: Iis, root: string): Promise<void> => {
        change(join(root, 'server-faye.js'));
        iis.scan();
        await get(iis, '/dante/server-faye.js');
      }, (text: string): string => text.replace(/^ *watchedFiles=.*\n/m, '')],
      ['a killed node process', async (iis: Iis): Promise<void> => void process.kill(Number(iis.pids[0]), 'SIGKILL')],
      ['a recycled pool', async (iis: Iis): Promise<void> => iis.recycle()],
    ] as const) {
      test(`${what} costs no reader a message`, async (t) => {
        const { iis, root } = await host(t, { config, interval: 80 });
        const Reading = await loadReading();
        const url = `ws://127.0.0.1:${iis.port}/dante/server-faye.js/ws`;
        const stayers = Array.from({ length: 3 }, (): { told: string[]; states: Set<State['name']> } => {
          const told: string[] = [];
          const states = new Set<State['name']>();
          const reading = new Reading({
            total: MESSAGES.length,
            connect: (from) => connectReal(`${url}?from=${from}`),
            probe: async () => 0,
            onMessage: (message) => told.push(message),
            onState: ({ name }) => states.add(name),
            // Twenty times faster, as the messages are: it gives up a silent connection after 8 s.
            now: () => performance.now() * 20,
            setTimer: (callback, delayMs) => Number(setTimeout(callback, delayMs / 20)[Symbol.toPrimitive]()),
            clearTimer: (timer) => clearTimeout(timer),
          });
          reading.resume();
          t.after(() => reading.pause());
          return { told, states };
        });
        await until(() => stayers.every(({ told }) => told.length >= 4), 'message 4');
        await comeAndGo(iis);
        await strike(iis, root);
        await until(() => stayers.every(({ states }) => states.has('ended')), 'the end');
        for (const { told, states } of stayers) {
          assert.deepEqual(told, MESSAGES);
          assert.ok(states.has('waiting'), 'it was disturbed');
        }
      });
    }
  });

  describe('server-faye.js', { concurrency: 1 }, () => {
    test('loaded by an interceptor whose stdout.write returns undefined, it logs one line and serves', async (t) => {
      const { iis, root } = await host(t);
      assert.equal((await get(iis, '/dante/server-faye.js')).status, 200);
      const logs = readdirSync(join(root, 'iisnode'));
      assert.equal(logs.length, 1);
      assert.match(readFileSync(join(root, 'iisnode', logs[0] ?? ''), 'utf8'), /^Dante reads at .*[\\/][\w.-]+\n$/);
    });

    test('where dist/ or a package is missing, it says npm install and ends with 1', async (t) => {
      for (const part of ['dist', 'node_modules']) {
        const root = copySite(t);
        rmSync(join(root, part), { recursive: true });
        const run = promisify(execFile)(process.execPath, [join(root, 'server-faye.js')]);
        const sentence = `dante is not built yet: run npm install in ${root}.\n`;
        await assert.rejects(run, { code: 1, stderr: sentence, stdout: '' });
        const intercepted = promisify(execFile)(process.execPath, [join(__dirname, 'interceptor.js'), join(root, 'server-faye.js')]);
        await assert.rejects(intercepted, { code: 1 });
        const [log] = readdirSync(join(root, 'iisnode'));
        assert.equal(readFileSync(join(root, 'iisnode', log ?? ''), 'utf8'), sentence);
      }
    });

    test('an error in the program is not taken for a missing build', async (t) => {
      const root = copySite(t);
      appendFileSync(join(root, 'dist', 'settings.js'), '\nnull.x;');
      const run = promisify(execFile)(process.execPath, [join(root, 'server-faye.js')], { timeout: 10_000 });
      await assert.rejects(run, (error: Error & { stderr: string }) => /TypeError/.test(error.stderr));
    });

    test('it starts self-hosted as well', async (t) => {
      const { child, port } = await startServer({ INTERVAL_MS: '5' }, { script: 'server-faye.js' });
      t.after(() => child.kill('SIGKILL'));
      for (const { applies, check } of behaviours) if (applies?.(siteAt(port)) ?? true) await check(siteAt(port));
    });
  });

  test('where iisnode may not write its logs, the process dies, whatever we do', async (t) => {
    const { iis, root } = await host(t);
    writeFileSync(join(root, 'iisnode'), 'in the way');
    assert.equal((await get(iis, '/dante/server-faye.js')).status, 500);
    rmSync(join(root, 'iisnode'));
    mkdirSync(join(root, 'iisnode'));
    assert.equal((await get(iis, '/dante/server-faye.js')).status, 200);
  });
});
