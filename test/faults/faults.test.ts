import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { after, before, describe, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Browser, browserMissing, type Page } from '../support/browser.js';
import { freePort } from '../support/port.js';
import { startServer, type Program } from '../support/program.js';
import { FaultyProxy } from './proxy.js';
import { SEED, seeded } from './random.js';
import { connectReal, loadReading, type Reading } from '../support/reading.js';
import { MESSAGES, sharedSite } from '../support/site.js';
import { until } from '../support/until.js';

const WINDOWS = process.platform === 'win32';

/** A server that can be taken away and started again on the same port. */
class Restartable {
  #program: Program | undefined;

  constructor(readonly port: number, readonly intervalMs: number, readonly root: string) {}

  async start(): Promise<void> {
    const env = { PORT: String(this.port), INTERVAL_MS: String(this.intervalMs) };
    this.#program = await startServer(env, { root: this.root });
  }

  async stop(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    this.#program?.child.kill(signal);
    await this.#program?.exited;
  }
}

async function startRestartable(t: TestContext, intervalMs: number, root = sharedSite()): Promise<Restartable> {
  const server = new Restartable(await freePort(), intervalMs, root);
  t.after(() => server.stop('SIGKILL'));
  await server.start();
  return server;
}

describe('faults', { timeout: 120_000 }, () => {
  let Class: Awaited<ReturnType<typeof loadReading>>;
  before(async () => void (Class = await loadReading()));

  /** Its time passes 20 times faster, as the server's does, so that it waits in proportion. */
  const TIME = 20;

  const startReading = (t: TestContext, url: () => string): { told: string[]; ended: Promise<void>; reading: Reading } => {
    const told: string[] = [];
    let reading: Reading | undefined;
    const ended = new Promise<void>((resolve, reject) => {
      reading = new Class({
        total: MESSAGES.length,
        connect: (from) => connectReal(`${url()}?from=${from}`),
        probe: () => fetch(url().replace('ws:', 'http:')).then(({ status }) => status, () => 0),
        onMessage: (message) => told.push(message),
        onState: ({ name }) => {
          if (name === 'ended') resolve();
          if (name === 'refused') reject(new Error('It was refused.'));
        },
        now: () => performance.now() * TIME,
        setTimer: (callback, delayMs) => Number(setTimeout(callback, delayMs / TIME)[Symbol.toPrimitive]()),
        clearTimer: (timer) => clearTimeout(timer),
      });
    });
    assert.ok(reading);
    // A test that fails leaves nobody who comes back for ever.
    t.after(() => reading?.pause());
    reading.resume();
    return { told, ended, reading };
  };

  test(`200 readers, 5 faults each, with restarts of the server: each hears all, once, in order; SEED=${SEED}`, async (t) => {
    const random = seeded(SEED);
    const server = await startRestartable(t, 40);
    const readers = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const proxy = await FaultyProxy.start(server.port);
        t.after(() => proxy.close());
        const { told, ended } = startReading(t, () => `ws://127.0.0.1:${proxy.port}/ws`);
        const moments = new Set<number>();
        while (moments.size < 5) moments.add(1 + random.below(MESSAGES.length - 2));
        const faults = [...moments].map((stanza) => ({ stanza, kind: random.below(6), ms: 1 + random.below(300) }));
        return { proxy, told, ended, faults };
      }),
    );
    let inflicted = 0;
    const inflict = async ({ proxy, told, ended, faults }: (typeof readers)[number]): Promise<void> => {
      let over = false;
      void ended.finally(() => (over = true));
      for (const { stanza, kind, ms } of faults.sort((a, b) => a.stanza - b.stanza)) {
        await until(() => over || told.length >= stanza, `stanza ${stanza}`);
        inflicted += 1;
        if (kind === 0) proxy.cut('FIN');
        if (kind === 1) proxy.cut('RST');
        if (kind === 2) {
          proxy.freeze();
          await sleep(ms);
          proxy.thaw();
        }
        if (kind === 3) proxy.delayMs = ms / 10;
        if (kind === 4) proxy.split = true;
        if (kind === 5) {
          proxy.cut('RST');
          await proxy.refuse(ms);
        }
      }
      await ended;
    };
    const all = Promise.all(readers.map(inflict));
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      await sleep(300 + random.below(500));
      await server.stop(signal);
      await sleep(random.below(300));
      await server.start();
    }
    await all;
    assert.equal(inflicted, 1000);
    for (const { told } of readers) assert.deepEqual(told, MESSAGES);
  });

  test('a frozen connection is given up, and what it says when it thaws is told by nobody', async (t) => {
    const server = await startRestartable(t, 20);
    const proxy = await FaultyProxy.start(server.port);
    t.after(() => proxy.close());
    let through = proxy.port;
    const { told, ended } = startReading(t, () => `ws://127.0.0.1:${through}/ws`);
    await until(() => told.length >= 5, 'five stanzas');
    proxy.freeze();
    through = server.port;
    const { length } = told;
    await until(() => told.length > length, 'a stanza by another way');
    proxy.thaw();
    await ended;
    assert.deepEqual(told, MESSAGES);
  });

  describe('in the browser', { concurrency: 6, skip: browserMissing() }, () => {
    let browser: Browser;
    before(async () => void (browser = await Browser.launch()));
    after(() => browser?.close());
    // As many as the faults need, and as few: a page costs more than a reader.
    const TOLD = MESSAGES.slice(0, 24);
    const site = sharedSite(TOLD.length);

    const COUNT = 'document.querySelectorAll("#messages li").length';
    const STATUS = 'document.querySelector("#status").textContent';
    /** Lets the page's own time pass so many times faster, but for what the network does. */
    const pace = (times: number): string => `{
      const { setTimeout: real } = window;
      const now = performance.now.bind(performance);
      window.setTimeout = (callback, ms) => real(callback, ms / ${times});
      performance.now = () => now() * ${times};
    }`;
    const FAST = pace(10);

    const assertWhole = async (page: Page): Promise<void> => {
      await page.wait(`${STATUS} === 'The end'`);
      const told = await page.evaluate<string[]>(
        `[...document.querySelectorAll('#messages li')].map((item) => item.innerText.trim())`,
      );
      assert.deepEqual(told, TOLD);
      await page.close();
    };

    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      test(`after ${signal} and a restart of the server it goes on by itself`, { skip: WINDOWS && signal === 'SIGTERM' && 'Windows has no signals' }, async (t) => {
        const server = await startRestartable(t, 200, site);
        const width = signal === 'SIGKILL' ? 320 : 1280;
        const page = await browser.open(`http://127.0.0.1:${server.port}/`, { width, before: FAST });
        const height = 'document.querySelector("footer").offsetHeight';
        await page.wait(`${COUNT} >= 5`);
        const whileReading = await page.evaluate(height);
        await server.stop(signal);
        await page.wait(`/^Connection lost, trying again in \\d+ s$/.test(${STATUS})`);
        assert.equal(await page.evaluate(height), whileReading, 'nothing jumps');
        const wide = `[...document.querySelectorAll('footer *')].filter((element) => {
          const { left, right } = element.getBoundingClientRect();
          return left < 0 || right > document.documentElement.clientWidth;
        }).length`;
        assert.equal(await page.evaluate(wide), 0, 'nothing overflows');
        await server.start();
        await assertWhole(page);
      });
    }

    for (const how of ['FIN', 'RST', 'freeze', 'split', 'delay', 'refuse'] as const) {
      test(`after ${how} on the way it goes on by itself`, async (t) => {
        const server = await startRestartable(t, 120, site);
        const proxy = await FaultyProxy.start(server.port);
        t.after(() => proxy.close());
        const page = await browser.open(`http://127.0.0.1:${proxy.port}/`, { before: FAST });
        await page.wait(`${COUNT} >= 5`);
        if (how === 'FIN' || how === 'RST') proxy.cut(how);
        if (how === 'split') proxy.split = true;
        if (how === 'delay') proxy.delayMs = 60;
        if (how === 'refuse') {
          proxy.cut('RST');
          await proxy.refuse(500);
        }
        if (how === 'freeze') {
          proxy.freeze();
          await page.wait(`${STATUS}.startsWith('Connection lost')`);
          proxy.thaw();
        }
        await assertWhole(page);
      });
    }

    test('back online it tries at once; Reconnect now does the same', async (t) => {
      const server = await startRestartable(t, 150, site);
      const proxy = await FaultyProxy.start(server.port);
      t.after(() => proxy.close());
      // Its first wait of half a second takes ten, as long as nobody hurries it.
      const before = `${pace(1 / 20)}; Math.random = () => 0.999`;
      const page = await browser.open(`http://127.0.0.1:${proxy.port}/`, { before });
      const offline = (is: boolean): Promise<unknown> =>
        page.send('Network.emulateNetworkConditions', { offline: is, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
      const lost = `/trying again in 1 s$/.test(${STATUS})`;
      await page.wait(`${COUNT} >= 5`);
      // Lost first: a browser that is told to be offline may keep the loss to itself.
      proxy.cut('RST');
      await page.wait(lost);
      await offline(true);
      assert.equal(await page.evaluate('navigator.onLine'), false);
      await offline(false);
      await page.wait(`${COUNT} >= 10`, 5000);
      await server.stop('SIGKILL');
      await page.wait(lost);
      await server.start();
      await page.press('Reconnect now');
      await page.wait(`${COUNT} >= 15`, 5000);
      await assertWhole(page);
    });

    test('paused in an outage it stays so, with Continue; read again in an outage it begins anew', async (t) => {
      const server = await startRestartable(t, 120, site);
      const page = await browser.open(`http://127.0.0.1:${server.port}/`, { before: FAST });
      await page.wait(`${COUNT} >= 5`);
      await server.stop('SIGKILL');
      await page.wait(`${STATUS}.startsWith('Connection lost')`);
      await page.press('Pause');
      assert.match(await page.evaluate(STATUS), /^Paused after message \d+ of 24$/);
      await server.start();
      await page.evaluate('new Promise((resolve) => setTimeout(resolve, 5000))'); // Half a second.
      assert.match(await page.evaluate(STATUS), /^Paused/);
      await page.press('Continue');
      await page.wait(`${STATUS} === 'The end'`);
      await server.stop('SIGKILL');
      await page.press('Read again');
      await page.wait(`${STATUS}.startsWith('Connection lost')`);
      assert.equal(await page.evaluate(COUNT), 0);
      await server.start();
      await assertWhole(page);
    });

    for (const way of ['Retry', 'back online', 'the tab shown again'] as const) {
      test(`where the server refuses for good, the page says so; ${way} is a way out of it`, async (t) => {
        const server = await startRestartable(t, 120, site);
        const page = await browser.open(`http://127.0.0.1:${server.port}/`, { before: FAST });
        await page.wait(`${COUNT} >= 5`);
        await server.stop('SIGKILL');
        const other = createServer((_request, response) => void response.writeHead(404).end());
        t.after(() => other.close());
        other.listen(server.port, '127.0.0.1');
        await once(other, 'listening');
        await page.wait(`${STATUS} === 'The server refuses the connection'`);
        other.closeAllConnections();
        other.close();
        await once(other, 'close');
        await server.start();
        if (way === 'Retry') await page.press('Retry');
        else await page.evaluate(way === 'back online' ? `dispatchEvent(new Event('online'))` : `document.dispatchEvent(new Event('visibilitychange'))`);
        await assertWhole(page);
      });
    }

    test('six pages live through three restarts: up again at once, after 2.5 s and after 10', { skip: WINDOWS && 'Windows has no signals' }, async (t) => {
      const server = await startRestartable(t, 120, site);
      const pages = await Promise.all(
        Array.from({ length: 6 }, () => browser.open(`http://127.0.0.1:${server.port}/`, { before: FAST })),
      );
      for (const [count, signal, downMs] of [[4, 'SIGTERM', 250], [10, 'SIGTERM', 0], [16, 'SIGKILL', 1000]] as const) {
        await Promise.all(pages.map((page) => page.wait(`${COUNT} >= ${count}`)));
        await server.stop(signal);
        await sleep(downMs);
        await server.start();
      }
      await Promise.all(pages.map(assertWhole));
    });
  });
});
