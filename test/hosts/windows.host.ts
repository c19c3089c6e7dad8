import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, test } from 'node:test';
import { until } from '../support/until.js';
import * as wine from './wine.js';

const { scripts } = JSON.parse(readFileSync(join(wine.ROOT, 'package.json'), 'utf8'));
const DANTE = wine.at('C:\\dante');
cpSync(wine.ROOT, DANTE, { recursive: true, filter: (path) => !path.endsWith('.git') });
afterEach(wine.stop); // What a failed test leaves behind must not disturb the next one.

for (const exe of wine.NODE_EXES) {
  const env = {
    WINEPATH: `Z:${dirname(exe)}`, PORT: '0',
    NODE_OPTIONS: '--require=C:/dante/.test/hosts/preload.js',
  };
  /** Runs a command of package.json in cmd.exe, as npm does. */
  const run = (command: string) => wine.run(['cmd', '/c', ...command.split(' ')], DANTE, env);
  /** Starts one without cmd.exe, so that a signal reaches node.exe. */
  const start = (command: string) => wine.start([exe, ...command.split(' ').slice(1)], DANTE, env);

  test(`${exe}: npm test passes, and skips only the browser and what Windows lacks`, async () => {
    const { code, stdout, stderr } = await run(scripts.test);
    const story = `code ${code}: ${stderr}\n${stdout.slice(-8000)}`;
    assert.equal(code, 0, story);
    const skipped = stdout.match(/^ *\ufe63 .*# .*(browser|Windows)/gim) ?? [];
    assert.match(stdout, new RegExp(`^\u2139 skipped ${skipped.length || 'some'}$`, 'm'), story);
  });

  test(`${exe}: npm start passes npm run check, and Ctrl+C ends it with exit code 0`, async () => {
    const server = start(scripts.start);
    const port = await until(() => /localhost:(\d+)\//.exec(server.output())?.[1], 'the server');
    const check = await run(`${scripts.check} http://localhost:${port}/`);
    assert.equal(check.code, 0, check.stdout);
    server.child.kill('SIGINT'); // Wine makes it the Ctrl+C of a console.
    const { code, stderr } = await server.ended;
    assert.equal(code, 0);
    assert.match(stderr, /^If a page is yours, .*'Pages of https:..stranger\.example may .*\n$/);
  });

  for (const signal of ['SIGINT', 'SIGKILL'] as const) {
    test(`${exe}: npm run dev restarts the server, and ${signal} ends all processes`, async () => {
      const dev = start(scripts.dev);
      await until(() => /localhost:\d+\//.test(dev.output()), 'the server');
      writeFileSync(join(DANTE, 'public', 'note.txt'), signal);
      await until(() => /(localhost:\d+\/[^]*){2}/.test(dev.output()), 'the server to restart');
      dev.child.kill(signal);
      wine.wait();
    });
  }
}
