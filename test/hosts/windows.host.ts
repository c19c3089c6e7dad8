import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, test } from 'node:test';
import { until } from '../support/client.js';
import * as wine from './wine.js';

const { scripts } = JSON.parse(readFileSync(join(wine.ROOT, 'package.json'), 'utf8'));
const DANTE = wine.at('C:\\dante');
cpSync(wine.ROOT, DANTE, { recursive: true, filter: (path) => !path.endsWith('.git') });
const PRELOAD = `require('node:net').Socket.prototype.setKeepAlive = function () { return this; };`;
writeFileSync(wine.at('C:\\preload.js'), PRELOAD); // In Wine 8, keep-alive breaks connect().
afterEach(wine.stop); // What a failed test leaves behind must not disturb the next one.

for (const exe of wine.NODE_EXES) {
  const env = { WINEPATH: `Z:${dirname(exe)}`, PORT: '0', NODE_OPTIONS: '--require=C:/preload.js' };
  /** Starts a command of package.json without cmd.exe, so that a signal reaches node.exe. */
  const start = (command: string) => wine.start([exe, ...command.split(' ').slice(1)], DANTE, env);

  test(`${exe}: npm test passes, and skips only the browser and what Windows lacks`, async () => {
    const { code, stdout, stderr } = await wine.run(['cmd', '/c', scripts.test], DANTE, env);
    assert.equal(code, 0, `${stderr}\n${stdout.slice(-8000)}`);
    const skipped = stdout.match(/^ *\ufe63 .*# .*(browser|Windows)/gim) ?? [];
    assert.match(stdout, new RegExp(`^\u2139 skipped ${skipped.length || 'some'}$`, 'm'));
  });

  test(`${exe}: npm start passes npm run check, and Ctrl+C ends it with exit code 0`, async () => {
    const server = start(scripts.start);
    const port = await until(() => /localhost:(\d+)/.exec(server.read('stdout'))?.[1], 'a server');
    const { code, stdout } = await start(`${scripts.check} http://localhost:${port}/`).ended;
    assert.equal(code, 0, stdout);
    server.child.kill('SIGINT'); // Wine makes it the Ctrl+C of a console.
    assert.equal((await server.ended).code, 0);
    assert.match(server.read('stderr'), /^If a page is yours, .*https:..stranger\.example .*\n$/);
  });

  test(`${exe}: npm run dev restarts the server, and signals end all processes`, async () => {
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      const dev = start(scripts.dev);
      await until(() => dev.read('stdout').includes('localhost'), 'the server');
      writeFileSync(join(DANTE, 'public', 'note.txt'), signal);
      await until(() => /(localhost[^]*){2}/.test(dev.read('stdout')), 'the server to restart');
      dev.child.kill(signal);
      wine.wait();
    }
  });
}
