import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { until } from '../support/until.js';
import { NODE_EXES, ROOT, Wine } from './wine.js';

/** How long `npm test` may take, in milliseconds. */
const SUITE_MS = 300_000;
const wine = new Wine(NODE_EXES.length * 2 * SUITE_MS);
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const DANTE = wine.drive('dante');
cpSync(ROOT, DANTE, { recursive: true, filter: (path) => !path.endsWith('.git') });

NODE_EXES.forEach((exe, index) => {
  const folder = `C:\\nodejs${index}`;
  cpSync(exe, wine.drive(`nodejs${index}`, 'node.exe'));

  const env = { WINEPATH: folder, NODE_OPTIONS: '--require=C:/dante/.test/hosts/preload.js' };
  /** Runs a command of package.json without cmd.exe, so that a signal reaches node.exe. */
  const node = (command: string, PORT: string) =>
    wine.start([`${folder}\\node.exe`, ...command.split(' ').slice(1)], DANTE, { ...env, PORT });
  /** Runs a command of package.json in cmd.exe, as npm does. */
  const shell = (command: string) => {
    writeFileSync(wine.drive('command.cmd'), `@echo off\r\n${command}\r\n`);
    return wine.start(['cmd', '/c', 'C:\\command.cmd'], DANTE, env);
  };

  describe(`C:\\dante with ${exe}`, { timeout: 2 * SUITE_MS }, () => {
    // What a failed test leaves behind must not disturb the next one.
    afterEach(() => wine.nodes().forEach((id) => process.kill(id, 'SIGKILL')));

    test('npm test passes, and skips only the browser and what Windows lacks', async () => {
      const run = () => {
        const suite = shell(scripts.test);
        setTimeout(() => suite.child.kill('SIGKILL'), SUITE_MS).unref();
        return suite.ended;
      };
      let { code, stdout, stderr } = await run();
      // Once in hundreds of times, Wine does not start a program that is there.
      if (stdout.includes('spawn UNKNOWN')) ({ code, stdout, stderr } = await run());
      const story = `code ${code ?? `none in ${SUITE_MS} ms`}: ${stderr}\n${stdout.slice(-8000)}`;
      assert.equal(code, 0, story);
      assert.match(stdout, /^. pass [1-9]\d*\r?$[^]*^. fail 0\r?$[^]*^. cancelled 0\r?$/m, story);
      const skipped = stdout.match(/^ *\ufe63 .*/gm) ?? [];
      assert.ok(skipped.some((line) => /# .*browser/i.test(line)), story);
      assert.deepEqual(skipped.filter((line) => !/# .*(browser|Windows)/i.test(line)), []);
    });

    test('npm start passes npm run check, and Ctrl+C ends it with exit code 0', async () => {
      const server = node(scripts.start, '0');
      const port = await until(() => /localhost:(\d+)\//.exec(server.output())?.[1], 'the server');
      const check = shell(`${scripts.check} http://localhost:${port}/`);
      assert.equal((await check.ended).code, 0, check.output());
      server.child.kill('SIGINT'); // Wine makes it the Ctrl+C of a console.
      const { code, stderr } = await server.ended;
      assert.equal(code, 0);
      assert.match(stderr, /^Refused a page of 'https:\/\/stranger\.example' .*\n$/);
    });

    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      test(`npm run dev restarts the server, and ${signal} ends all of its processes`, async () => {
        const dev = node(scripts.dev, '0');
        await until(() => /localhost:\d+\//.test(dev.output()), 'the server');
        writeFileSync(join(DANTE, 'public', 'note.txt'), signal);
        await until(() => /(localhost:\d+\/[^]*){2}/.test(dev.output()), 'the server to restart');
        dev.child.kill(signal);
        await until(() => wine.nodes().length === 0, 'the processes to end', 10_000);
      });
    }
  });
});
