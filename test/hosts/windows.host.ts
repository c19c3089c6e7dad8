import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { until } from '../support/until.js';
import * as wine from './wine.js';

const { scripts } = JSON.parse(readFileSync(join(wine.ROOT, 'package.json'), 'utf8'));
const DANTE = wine.drive('dante');
cpSync(wine.ROOT, DANTE, { recursive: true, filter: (path) => !path.endsWith('.git') });
// What a failed test leaves behind must not disturb the next one.
afterEach(() => wine.nodes().forEach((id) => process.kill(id, 'SIGKILL')));

wine.NODE_EXES.forEach((exe, index) => {
  const folder = `C:\\nodejs${index}`;
  cpSync(exe, wine.drive(`nodejs${index}`, 'node.exe'));

  const env = {
    WINEPATH: folder, PORT: '0', NODE_OPTIONS: '--require=C:/dante/.test/hosts/preload.js',
  };
  /** Runs a command of package.json without cmd.exe, so that a signal reaches node.exe. */
  const node = (command: string) =>
    wine.start([`${folder}\\node.exe`, ...command.split(' ').slice(1)], DANTE, env);
  /** Runs a command of package.json in cmd.exe, as npm does. */
  const shell = (command: string) => {
    writeFileSync(wine.drive('command.cmd'), `@echo off\r\n${command}\r\n`);
    return wine.start(['cmd', '/c', 'C:\\command.cmd'], DANTE, env);
  };

  test(`${exe}: npm test passes, and skips only the browser and what Windows lacks`, async () => {
    let suite = await shell(scripts.test).ended;
    // Once in hundreds of times, Wine does not start a program that is there.
    if (suite.stdout.includes('spawn UNKNOWN')) suite = await shell(scripts.test).ended;
    const story = `code ${suite.code}: ${suite.stderr}\n${suite.stdout.slice(-8000)}`;
    assert.equal(suite.code, 0, story);
    const skipped = suite.stdout.match(/^ *\ufe63 .*/gm) ?? [];
    assert.ok(skipped.some((line) => /# .*browser/i.test(line)), story);
    assert.deepEqual(skipped.filter((line) => !/# .*(browser|Windows)/i.test(line)), []);
  });

  test(`${exe}: npm start passes npm run check, and Ctrl+C ends it with exit code 0`, async () => {
    const server = node(scripts.start);
    const port = await until(() => /localhost:(\d+)\//.exec(server.output())?.[1], 'the server');
    const check = shell(`${scripts.check} http://localhost:${port}/`);
    assert.equal((await check.ended).code, 0, check.output());
    server.child.kill('SIGINT'); // Wine makes it the Ctrl+C of a console.
    const { code, stderr } = await server.ended;
    assert.equal(code, 0);
    assert.match(stderr, /^If a page is yours, .*'Pages of https:..stranger\.example may .*\n$/);
  });

  for (const signal of ['SIGINT', 'SIGKILL'] as const) {
    test(`${exe}: npm run dev restarts the server, and ${signal} ends all processes`, async () => {
      const dev = node(scripts.dev);
      await until(() => /localhost:\d+\//.test(dev.output()), 'the server');
      writeFileSync(join(DANTE, 'public', 'note.txt'), signal);
      await until(() => /(localhost:\d+\/[^]*){2}/.test(dev.output()), 'the server to restart');
      dev.child.kill(signal);
      await until(() => wine.nodes().length === 0, 'the processes to end', 10_000);
    });
  }
});
