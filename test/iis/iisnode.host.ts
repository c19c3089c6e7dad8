import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { behaviours, siteAt, whole, type Site } from '../support/behaviours.js';
import { installNode, type Binaries } from '../support/binaries.js';
import { Browser, type Page } from '../support/browser.js';
import { copySite, MESSAGES } from '../support/site.js';
import { until } from '../support/until.js';

/** A program that hosts a folder in iisnode's own code: `PROGRAM ROOT PORT NODE_EXE`. */
const HOST = process.env['IISNODE_HOST'] ?? '';
const missing = !existsSync(HOST) && 'IISNODE_HOST names no program';
if (missing && HOST) throw new Error(`IISNODE_HOST is ${JSON.stringify(HOST)}, and there is no such program.`);

describe("iisnode's own code", { timeout: 900_000, skip: missing }, () => {
  let binaries: Binaries;
  let browser: Browser;
  before(async () => {
    binaries = installNode('win', [18, 22]);
    browser = await Browser.launch();
  });
  after(async () => {
    await browser?.close();
    binaries?.remove();
  });

  for (const major of [18, 22]) {
    describe(`with node.exe ${major}`, () => {
      let host: ChildProcess;
      let site: Site;
      let root: string;
      const callbacks: (() => unknown)[] = [];
      before(async () => {
        root = copySite({ after: (callback: () => unknown) => callbacks.push(callback) });
        const server = createServer().listen(0, '127.0.0.1');
        await once(server, 'listening');
        const { port } = server.address() as AddressInfo; // As it listens on a port.
        server.close();
        await once(server, 'close');
        site = { ...siteAt(port, '/dante/server-faye.js'), silencesMs: [4000, 5000, 5500, 6000, 7000] };
        const env = { ...process.env, INTERVAL_MS: '50' };
        // In a group of its own, as it starts what has to be ended with it.
        host = spawn(HOST, [root, String(port), binaries.path(major)], { stdio: 'ignore', env, detached: true });
        const answers = (): Promise<boolean> => fetch(site.url, { signal: AbortSignal.timeout(5000) }).then(({ ok }) => ok, () => false);
        await until(answers, 'iisnode to answer', 120_000);
      });
      after(() => {
        process.kill(-Number(host.pid), 'SIGKILL');
        for (const callback of callbacks) callback();
      });

      for (const { name, check } of [...behaviours, whole]) test(name, async () => void (await check(site)));

      const messages = '[...document.querySelectorAll("#messages li")].map((item) => item.innerText.trim())';
      const open = (before: string): Promise<Page> => browser.open(site.url.href.replace('127.0.0.1', 'localhost'), { before });

      test('a browser reads to the end, and says so within half a second of the last message', async () => {
        const page = await open(`new MutationObserver(() => {
          if (document.querySelectorAll('#messages li').length === ${MESSAGES.length}) window.lastAt ??= performance.now();
          if (document.querySelector('#status')?.textContent === 'The end') window.endAt ??= performance.now();
        }).observe(document, { subtree: true, childList: true, characterData: true });`);
        await page.wait('window.endAt');
        assert.ok(await page.evaluate<number>('endAt - lastAt') < 500);
        assert.deepEqual(await page.evaluate(messages), MESSAGES);
        await page.close();
      });

      test('where node.exe is killed in the middle of it, the page ends with all messages, each once', async () => {
        const page = await open('');
        await page.wait('document.querySelectorAll("#messages li").length >= 8');
        // Its own log names the process by its number in Windows; this system knows it by its program.
        const pids = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandOf(pid).includes(binaries.path(major).replaceAll('/', '\\')));
        assert.equal(pids.length, 1);
        for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
        await page.wait(`document.querySelector('#status').textContent === 'The end'`, 60_000);
        assert.deepEqual(await page.evaluate(messages), MESSAGES);
        await page.close();
      });

      test('it printed one line, and nothing that is a fault', () => {
        const folder = join(root, 'iisnode');
        const logs = (name: string): string =>
          readdirSync(folder).filter((file) => file.includes(name)).map((file) => readFileSync(join(folder, file), 'utf8')).join('');
        assert.match(logs('stdout'), /^(Dante reads at \\\\\.\\pipe\\[\w-]+\r\n)+$/);
        // iisnode's interceptor.js itself uses what Node 22 calls deprecated: `new Buffer`.
        assert.equal(logs('stderr').replace(/^\(node:\d+\) \[DEP0005\] .*\r\n\(Use .*\r\n/gm, ''), '');
      });
    });
  }
});

/** The command line of a process, or nothing if it is gone. */
function commandOf(pid: string): string {
  try {
    const [program = ''] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return program;
  } catch {
    return '';
  }
}
