import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { behaviours, siteAt, whole } from '../support/behaviours.js';
import { installNode, type Binaries } from '../support/binaries.js';
import { Browser } from '../support/browser.js';
import { openReader } from '../support/reader.js';
import { copySite, MESSAGES } from '../support/site.js';
import { until } from '../support/until.js';
import { Wine, windowsPath, type Running } from './wine.js';

/** Those that run in Wine 8; later ones crash in it. */
const MAJORS = [18, 22];

describe('Node on Windows, under Wine', { timeout: 600_000 }, () => {
  let binaries: Binaries;
  let wine: Wine;
  let browser: Browser;
  before(async () => {
    binaries = installNode('win', MAJORS);
    wine = new Wine();
    browser = await Browser.launch();
  });
  after(async () => {
    await browser?.close();
    wine?.remove();
    binaries?.remove();
  });

  const portOf = async (program: Running, pattern: RegExp): Promise<number> => {
    const port = await until(() => pattern.exec(program.output())?.[1], 'the Windows program to listen');
    return Number(port);
  };

  for (const major of MAJORS) {
    describe(`node.exe ${major}`, () => {
      const node = (): string => windowsPath(binaries.path(major));

      describe('in the double of IIS, itself in node.exe, by a named pipe', () => {
        let program: Running;
        let port: number;
        let root: string;
        const callbacks: (() => unknown)[] = [];
        before(async () => {
          root = copySite({ after: (callback: () => unknown) => callbacks.push(callback) });
          const double = join(__dirname, 'iis-program.js');
          program = wine.start([node(), windowsPath(double), windowsPath(root)], { env: { INTERVAL_MS: '20' } });
          port = await portOf(program, /^listening on (\d+)/);
        });
        after(() => {
          program?.child.kill('SIGKILL');
          for (const callback of callbacks) callback();
        });

        for (const { name, check } of [...behaviours, whole]) {
          test(name, async () => void (await check(siteAt(port, '/dante/server-faye.js'))));
        }

        test('a browser reads the canto there', async () => {
          const page = await browser.open(`http://localhost:${port}/dante/server-faye.js`);
          await page.wait(`document.querySelector('#status').textContent === 'The end'`);
          const told = await page.evaluate<string[]>(
            `[...document.querySelectorAll('#messages li')].map((item) => item.innerText.trim())`,
          );
          assert.deepEqual(told, MESSAGES);
          assert.deepEqual(page.errors, []);
          await page.close();
        });

        test('it listened on a named pipe', () => {
          const logs = readdirSync(join(root, 'iisnode')).filter((name) => name.endsWith('stdout.txt'));
          assert.equal(logs.length, 1);
          const log = readFileSync(join(root, 'iisnode', logs[0] ?? ''), 'utf8');
          assert.match(log, /^Dante reads at \\\\\.\\pipe\\[\w-]+\n$/);
        });
      });

      test('self-hosted: all of it, and Ctrl-C closes the readers with 4001 and exits with 0', async () => {
        const server = windowsPath(join(__dirname, '..', '..', 'dist', 'server.js'));
        const program = wine.start([node(), server], { env: { PORT: '0', INTERVAL_MS: '20' } });
        const port = await portOf(program, /^Dante reads at http:\/\/localhost:(\d+)\//);
        for (const { applies, check } of behaviours) if (applies?.(siteAt(port)) ?? true) await check(siteAt(port));
        program.child.kill('SIGKILL');
        // At a pace at which nobody comes to the end meanwhile.
        const slow = wine.start([node(), server], { env: { PORT: '0', INTERVAL_MS: '60000' } });
        const slowPort = await portOf(slow, /^Dante reads at http:\/\/localhost:(\d+)\//);
        const readers = Array.from({ length: 20 }, () => openReader(`ws://127.0.0.1:${slowPort}/ws`));
        await Promise.all(readers.map(({ opened }) => opened));
        slow.child.kill('SIGINT'); // Wine makes it the Ctrl-C of a Windows console.
        for (const { closed } of readers) {
          assert.deepEqual(await closed, { code: 4001, reason: 'server is shutting down' });
        }
        const { code, stderr } = await slow.ended;
        assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
      });

      test('a bad setting and a port in use are one line each and exit code 1', async () => {
        const server = windowsPath(join(__dirname, '..', '..', 'dist', 'server.js'));
        const bad = await wine.start([node(), server], { env: { PORT: 'http' } }).ended;
        assert.deepEqual([bad.code, bad.stdout], [1, '']);
        assert.match(bad.stderr, /^PORT is "http", but takes .*\r?\n$/);
        const program = wine.start([node(), server], { env: { PORT: '0' } });
        const port = await portOf(program, /^Dante reads at http:\/\/localhost:(\d+)\//);
        const second = await wine.start([node(), server], { env: { PORT: String(port) } }).ended;
        program.child.kill('SIGKILL');
        assert.deepEqual([second.code, second.stdout], [1, '']);
        assert.match(second.stderr, new RegExp(`^Cannot listen on port ${port}: it is in use; .*\n$`));
      });
    });
  }
});
