import '../support/bounds.js';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { copyProject, ROOT, runNode, startServer } from '../support/program.js';
import { openReader } from '../support/reader.js';
import { until } from '../support/until.js';

const read = (name: string): string => readFileSync(join(ROOT, name), 'utf8');
const readme = read('README.md');
const blocks = [...readme.matchAll(/^```(ts|js)\n([^]*?)^```$/gm)].map(([, , text = '']) => text);
const [handler = '', live = '', chat = '', form = ''] = blocks;

/** Compiles a copy of the project without a list, as README.md says, with another recital. */
async function build(t: TestContext, recital: string): Promise<string> {
  const root = copyProject(t);
  const change = (name: string, from: RegExp, to: string): void => {
    const text = readFileSync(join(root, name), 'utf8');
    assert.match(text, from, name);
    writeFileSync(join(root, name), text.replace(from, to));
  };
  writeFileSync(join(root, 'src', 'recital.ts'), recital);
  rmSync(join(root, 'src', 'canto1.ts'));
  change('src/server.ts', /import \{ canto1 \}.*\n/, '');
  change('src/server.ts', /createApp\(canto1,/, 'createApp([],');
  change('public/index.html', / max="46"/, '');
  change('public/index.html', /(?=<\/main>)/, '<form><input name="text" maxlength="200"></form>');
  change('public/client.js', /return new WebSocket\(url\)/, 'return (socket = new WebSocket(url))');
  change('public/client.js', /^restart\(\);\n$/m, `${form}restart();\n`);
  for (const project of ['tsconfig.json', 'test/page.tsconfig.json']) {
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
    const { output, exited } = runNode([tsc, '-p', project], {}, { cwd: root });
    assert.equal(await exited, 0, output.stdout);
  }
  return root;
}

describe('README', { concurrency: 2 }, () => {
  test('its upgrade handler matches app.ts', () => {
    assert.ok(handler.includes('new Reader') && read('src/app.ts').includes(handler));
  });

  test('its live source sends JSON every interval, and again after a reconnection', async (t) => {
    const root = await build(t, live);
    const { output, port } = await startServer(t, { INTERVAL_MS: '5' }, { root });
    for (const from of [0, 60]) {
      const reader = openReader(`ws://127.0.0.1:${port}/ws?from=${from}`);
      await until(() => reader.messages.length >= 60, 'sixty messages');
      for (const text of reader.messages) assert.equal(typeof JSON.parse(text).load, 'number');
      reader.socket.close();
      assert.equal((await reader.closed).code, 1000);
    }
    assert.equal(output.stderr, '');
  });

  test('its chat sends each message to every client', async (t) => {
    const { port } = await startServer(t, {}, { root: await build(t, chat) });
    const [one, two] = [0, 1].map(() => openReader(`ws://127.0.0.1:${port}/ws`));
    assert.ok(one && two);
    await Promise.all([one.opened, two.opened]);
    two.socket.send('hello');
    for (const { messages } of [one, two]) await until(() => messages.length > 0, 'the message');
    one.socket.close();
    await one.closed;
    two.socket.send('anybody?');
    await once(two.socket, 'message');
    assert.deepEqual([one.messages, two.messages], [['hello'], ['hello', 'anybody?']]);
    two.socket.close();
    await two.closed;
  });

  test('every file and script that it names exists', () => {
    const path = /`((?:src|public|test|\.github)\/[\w./-]+)`|\]\(([^):#]+)\)/g;
    for (const [, code, link] of readme.matchAll(path)) {
      assert.ok(existsSync(join(ROOT, code ?? link ?? '')), code ?? link);
    }
    const { scripts } = JSON.parse(read('package.json'));
    for (const [, script = ''] of readme.matchAll(/npm (?:run )?(start|test|dev|check|bench)\b/g)) {
      assert.ok(script in scripts, script);
    }
  });
});
