import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { canto1 } from '../dist/canto1.js';
import { ROOT, startServer } from './support/program.js';
import { openReader } from './support/reader.js';
import { copySite } from './support/site.js';
import { until } from './support/until.js';

const run = promisify(execFile);
const read = (name: string): string => readFileSync(join(ROOT, name), 'utf8');
const readme = read('README.md');

/** The contents of the fenced blocks of one language. */
const blocks = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'gm'))].map(([, text]) => text ?? '');
const [liveRecital = '', lines = ''] = blocks('ts');

/** A copy of the project with some sources changed, compiled as strictly as the project itself. */
async function build(t: TestContext, changes: Record<string, (source: string) => string>): Promise<string> {
  const root = copySite(t);
  cpSync(join(ROOT, 'tsconfig.json'), join(root, 'tsconfig.json'));
  for (const [name, change] of Object.entries(changes)) {
    const changed = change(read(name));
    assert.notEqual(changed, read(name), `${name} has not the lines that README.md tells to change`);
    writeFileSync(join(root, name), changed);
  }
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  await run(process.execPath, [tsc, '-p', root, '--typeRoots', join(ROOT, 'node_modules', '@types')]).catch(({ stdout }) => {
    throw new Error(stdout);
  });
  return root;
}

describe('README', { timeout: 120_000 }, () => {
  test('its client prints the rest of the stream and the close code', async (t) => {
    const { child, port } = await startServer({ INTERVAL_MS: '5' });
    t.after(() => child.kill('SIGKILL'));
    const from = Math.min(40, canto1.length);
    const [example = ''] = blocks('js');
    const program = example.replace('localhost:8888', `127.0.0.1:${port}`).replace('from=40', `from=${from}`);
    const { stdout } = await run(process.execPath, ['-e', program], { cwd: ROOT, env: { ...process.env, FORCE_COLOR: undefined } });
    const messages = canto1.slice(from).map((message) => `${message}\n\n`);
    assert.equal(stdout, `${messages.join('')}1000 \n`);
  });

  describe('its stream that never ends', () => {
    const LIVE = {
      'src/recital.ts': () => liveRecital,
      'src/server.ts': (source: string) => source.replace(/import \{ canto1 \}.*\n/, '').replace('createApp(canto1,', 'createApp([],'),
    };

    test('is at most 30 lines long', () => {
      assert.ok(liveRecital.trimEnd().split('\n').length <= 30);
    });

    test('goes on; who comes back gets what is new, and nothing twice', async (t) => {
      const root = await build(t, LIVE);
      const { child, output, port } = await startServer({ INTERVAL_MS: '5' }, { root });
      t.after(() => child.kill('SIGKILL'));
      const messages: string[] = [];
      for (let round = 0; round < 3; round += 1) {
        const reader = openReader(`ws://127.0.0.1:${port}/ws?from=${messages.length}`);
        await until(() => reader.messages.length >= 60, 'sixty messages');
        messages.push(...reader.messages);
        if (round < 2) reader.socket.close();
        else child.kill('SIGTERM');
        assert.equal((await reader.closed).code, round < 2 ? 1000 : 4001);
      }
      assert.deepEqual(messages, [...new Set(messages)].sort());
      assert.equal(output.stderr, '');
    });

    test('does not queue for a reader that does not drain', async (t) => {
      const root = await build(t, LIVE);
      const { createRecital } = await import(join(root, 'dist', 'recital.js'));
      const sent: string[] = [];
      let full = true;
      const socket = Object.assign(new EventEmitter(), { send: (text: string) => (sent.push(text), !full) });
      createRecital([], 2).begin(socket, 0);
      socket.emit('open');
      const other = Object.assign(new EventEmitter(), { told: 0, send: () => ++other.told < Infinity });
      createRecital([], 2).begin(other, 0);
      other.emit('open');
      await until(() => other.told > 10, 'another to be told more');
      assert.equal(sent.length, 1);
      full = false;
      socket.emit('drain');
      await until(() => sent.length > 3, 'it to go on');
      for (const one of [socket, other]) one.emit('close');
    });
  });

  test('its lines for hearing a client, JSON and pings compile, and do what they say', async (t) => {
    const [hear = '', json = '', ping = ''] = lines.split('\n').filter((line) => line && !line.startsWith('//'));
    const root = await build(t, {
      'src/recital.ts': (source) => source.replace('let heard = from;', `let heard = from;\n${hear}`).replace('reader.send(stanza)', json.replace(/;$/, '')),
      'src/app.ts': (source) => source.replace(/const OPTIONS: .*/, ping.replace('ping: 30', 'ping: 0.05')),
    });
    const { child, output, port } = await startServer({ INTERVAL_MS: '60000' }, { root });
    t.after(() => child.kill('SIGKILL'));
    const { socket, messages } = openReader(`ws://127.0.0.1:${port}/ws`);
    await once(socket, 'message');
    assert.deepEqual(Object.keys(JSON.parse(messages[0] ?? '')), ['at', 'load']);
    socket.send('hello');
    await until(() => output.stdout.includes('A client says hello\n'), 'the server to hear');
    socket.close();
  });

  test('every file of src/ is named, every script that it runs is there, every heading that it links to', () => {
    for (const name of readdirSync(join(ROOT, 'src')).filter((name) => name.endsWith('.ts') && name !== 'app.ts')) {
      assert.ok(readme.includes(name), name);
    }
    const { scripts } = JSON.parse(read('package.json'));
    for (const [, script = ''] of readme.matchAll(/npm run ([\w:]+)/g)) assert.ok(script in scripts, script);
    const headings = [...readme.matchAll(/^## (.*)$/gm)].map(([, title]) => title?.toLowerCase().replace(/ /g, '-'));
    for (const [, anchor] of readme.matchAll(/\]\(#([^)]+)\)/g)) assert.ok(headings.includes(anchor), anchor);
  });
});
