import '../support/bounds.js';
import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { copyProject, ROOT, runNode, startServer } from '../support/program.js';
import { openReader } from '../support/reader.js';
import { until } from '../support/until.js';

const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/^```(?:ts|js|html)\n([^]*?)^```$/gm)];
const [idea = '', load = '', lines = '', chat = '', form = '', script = ''] =
  blocks.map(([, text = '']) => text);

/** Makes a copy of the project with an example of README.md and its form, and compiles it. */
async function build(t: TestContext, name: string, part: string, lines: string): Promise<string> {
  const root = copyProject(t);
  const change = (name: string, from: RegExp | string, to: string): void => {
    const text = readFileSync(join(root, name), 'utf8');
    assert.ok(text.split(from).length > 1, `${name} does not contain ${from}`);
    writeFileSync(join(root, name), text.replace(from, () => to));
  };
  cpSync(join(ROOT, 'test', 'examples', name), join(root, 'src', name));
  change(`src/${name}`, part, part);
  for (const folder of ['src', 'test']) rmSync(join(root, folder, 'poem'), { recursive: true });
  const [imports = '', call = ''] = lines.split(/(?<=;\n)/);
  change('src/server.ts', /(import .* from '\.\/poem\/.*';\n){2}/, imports);
  change('src/server.ts', /^ .* = createApp\(.*\n/m, call);
  change('public/index.html', / max="\d+"/, '');
  change('public/client.js', /return new WebSocket\(url\)/, 'return (socket = new WebSocket(url))');
  change('public/client.js', /(?=.*\n$(?![^]))/, script);
  change('public/index.html', /(?<=<\/ol>\n)/, form);
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const args = [tsc, '-b', '.', 'test/page.tsconfig.json'];
  const { output, exited } = runNode(args, {}, root);
  assert.equal(await exited, 0, output.stdout);
  return root;
}

test('README: its idea is a program that sends stanzas', async (t) => {
  const text = idea.replace('2000', '20').replace('8888', "0, function () { console.log(':' + " +
    "this.address().port + '/'); }");
  const program = runNode(['-e', text]);
  t.after(() => void program.child.kill());
  const port = await until(() => /:(\d+)/.exec(program.output.stdout)?.[1], 'the port');
  const { socket, messages } = openReader(`ws://127.0.0.1:${port}/`);
  await until(() => messages.join().startsWith('stanza 1,stanza 2,'), 'two stanzas');
  socket.close();
});

test('README: its live source sends every interval, and again after a reconnection', async (t) => {
  const root = await build(t, 'load.ts', load, lines);
  const { output, port } = await startServer(t, { INTERVAL_MS: '5' }, root);
  for (const from of [0, 60]) {
    const reader = openReader(`ws://127.0.0.1:${port}/ws?from=${from}`);
    await until(() => reader.messages.length >= 60, 'sixty messages');
    for (const text of reader.messages) assert.match(text, /^█* \d+ %$/);
    reader.socket.close();
  }
  assert.equal(output.stderr, '');
});

test('README: its chat sends each message to all, once, also after a restart', async (t) => {
  const chatLines = lines.replace(/createLoad\(.*?\)/, 'createChat()')
    .replace(/createLoad(.*)load/, 'createChat$1chat');
  const root = await build(t, 'chat.ts', chat, chatLines);
  for (const from of [0, 5]) {
    const { port, child, exited } = await startServer(t, {}, root);
    const open = (seen: number) => openReader(`ws://127.0.0.1:${port}/ws?from=${seen}`);
    const [one, two] = [open(from), open(from)];
    await Promise.all([one.opened, two.opened]);
    for (const text of ['hello', '', 'anybody?']) two.socket.send(text);
    await until(() => one.messages.length === 3 && two.messages.length === 3, 'all messages');
    const three = open(1);
    await until(() => three.messages.length === 2, 'the last two messages');
    assert.deepEqual(one.messages, ['hello', '', 'anybody?']);
    assert.deepEqual([two.messages, three.messages], [one.messages, ['', 'anybody?']]);
    child.kill('SIGKILL');
    await exited;
  }
});
