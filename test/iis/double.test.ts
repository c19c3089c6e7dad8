import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { canto1 } from '../dist/canto1.js';
import { behaviours } from './support/behaviours.js';
import { Browser, browserMissing } from './support/browser.js';
import { Iis } from './support/iis.js';
import { ROOT, startServer } from './support/program.js';
import { exchange, handshake } from './support/raw.js';
import { openReader, type Reader } from './support/reader.js';
import { copySite } from './support/site.js';
import { until } from './support/until.js';
import { parseWebConfig } from './support/webconfig.js';

type After = Pick<TestContext, 'after'>;

/** A copy of the project with its web.config changed, hosted by the double of IIS. */
async function host(t: After, { config = (text: string): string => text, interval = 20 } = {}): Promise<{ iis: Iis; root: string }> {
  const root = copySite(t);
  const file = join(root, 'web.config');
  writeFileSync(file, config(readFileSync(file, 'utf8')));
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

async function assertWholeCanto({ stanzas, closed }: Reader): Promise<void> {
  assert.deepEqual(await closed, { code: 1000, reason: '' });
  assert.deepEqual(stanzas, canto1);
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
      assert.match((await get(iis, '/dante/server-faye.js')).text, /<title>Dante/);
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
      await until(() => readers.every(({ stanzas }) => stanzas.length >= 2), 'two stanzas each', 15_000);
      assert.equal(iis.started, 1);
    },
  },
  {
    name: 'a deployment in the middle of the canto cuts nobody off',
    line: /^ *gracefulShutdownTimeout=.*\n/m,
    async check(t, config) {
      const { iis, root } = await host(t, { config });
      const old = read(iis);
      await until(() => old.stanzas.length >= 2, 'the canto to begin');
      change(join(root, 'server-faye.js'));
      await until(async () => (await get(iis, '/dante/server-faye.js')) && iis.started === 2, 'a new process');
      await assertWholeCanto(read(iis));
      await assertWholeCanto(old);
      await until(() => iis.pids.length === 1, 'the old process to end');
    },
  },
  {
    name: 'a change of the script, of dist/ or of public/ brings a new process',
    line: /^ *watchedFiles=.*\n/m,
    async check(t, config) {
      const { iis, root } = await host(t, { config });
      let started = 0;
      for (const file of ['server-faye.js', 'dist/server.js', 'dist/recital.js', 'public/style.css', 'public/index.html']) {
        await until(async () => (await get(iis, '/dante/server-faye.js')) && iis.started > started, file, 3000);
        started = iis.started;
        change(join(root, file));
      }
      await until(async () => (await get(iis, '/dante/server-faye.js')) && iis.started > started, 'the last', 3000);
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

describe('IIS', () => {
  describe('as it is hosted there', () => {
    let iis: Iis;
    let site: { after(callback: () => void): void; run(): void };
    before(async () => {
      const callbacks: (() => unknown)[] = [];
      site = { after: (callback) => callbacks.push(callback), run: () => callbacks.reverse().forEach((callback) => callback()) };
      ({ iis } = await host(site));
    });
    after(() => site.run());

    for (const { name, check } of behaviours) {
      test(name, () => check({ port: iis.port, mount: '/dante/server-faye.js' }));
    }

    test('a browser reads the canto there', { skip: browserMissing() }, async () => {
      const browser = await Browser.launch();
      try {
        const page = await browser.open(`http://localhost:${iis.port}/dante/server-faye.js`);
        await page.wait(`document.querySelector('#status').textContent === 'The end of Canto I'`);
        const told = await page.evaluate<string[]>(
          `[...document.querySelectorAll('#canto li')].map((item) => item.innerText.trim())`,
        );
        assert.deepEqual(told, canto1);
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

    test('the limit of iisnode is well above the 5000 of IIS, the grace longer than a canto', () => {
      const { iisnode } = parseWebConfig(text);
      assert.ok(iisnode.maxConcurrentRequestsPerProcess >= 10_000);
      assert.ok(iisnode.gracefulShutdownTimeout > canto1.length * 2000);
    });

    test('what iisnode 0.2 does not know is refused, as IIS does with 500.19', () => {
      assert.throws(() => parseWebConfig(text.replace(' debuggingEnabled=', ' debugEnabled=')), /500\.19.*debugEnabled/);
      assert.throws(() => parseWebConfig(text.replace('<clear />', '<clean />')), /500\.19.*clean/);
      assert.throws(() => parseWebConfig(text.replace('</handlers>', '')), /500\.19/);
    });
  });

  describe('server-faye.js', () => {
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
        const intercepted = promisify(execFile)(process.execPath, [join(__dirname, 'support', 'interceptor.js'), join(root, 'server-faye.js')]);
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
      for (const { check } of behaviours) await check({ port, mount: '' });
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
