import './support/bounds.js';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { SCRIPT } from '../dist/app.js';
import { listen } from './support/app.js';
import { kill } from './support/bounds.js';
import { copyProject, ROOT, runNode, startServer, type Program } from './support/program.js';
import { exchange, handshake, parseResponse, request } from './support/raw.js';
import { until } from './support/until.js';

const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

/** Instead of iisnode's interceptor.js: moves argv up, and write() returns nothing. */
const INTERCEPTOR = `
process.argv.splice(1, 0, 'interceptor.js'); process.argv.splice(1, 1);
for (const name of ['stdout', 'stderr']) {
  process[name].write = (text) => void require('fs').appendFileSync(process.env.LOG, name + text);
}
require(process.argv[1]);`;

/** A server that does to a request what iisnode does to it, and nothing else of IIS. */
function createIisnode(pipe: string): Server {
  const pool: Socket[] = [];

  async function ask({ method, url = '', rawHeaders }: IncomingMessage) {
    // cprotocolbridge.cpp: the path is decoded, and any Connection but `Upgrade` is replaced.
    let head = `${method} ${url.replace(/^[^?]*/, decodeURI)} HTTP/1.1\r\n`;
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const [name = '', value = ''] = rawHeaders.slice(i);
      const isKept = name.toLowerCase() !== 'connection' || value.toLowerCase() === 'upgrade';
      head += `${name}: ${isKept ? value : 'keep-alive'}\r\n`;
    }
    // cconnectionpool.cpp: the newest pipe, whether or not Node has closed it.
    const socket = pool.pop() ?? connect(pipe).on('error', () => {}); // `close` follows.
    socket.write(`${head}\r\n`);
    const closed = once(socket, 'close');
    for (let bytes = Buffer.alloc(0); !socket.destroyed; ) {
      const [chunk] = await Promise.race([once(socket, 'data'), closed]);
      if (Buffer.isBuffer(chunk)) bytes = Buffer.concat([bytes, chunk]);
      const response = parseResponse(bytes, method);
      if (!response) continue;
      // chttpprotocol.cpp: the pipe is kept unless the Connection header ends in `close`.
      if (response.headers['connection']?.endsWith('close')) socket.destroy();
      else if (response.status !== 101) pool.push(socket);
      return { status: response.status, bytes, socket };
    }
    return { status: 500, bytes: 'HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n', socket };
  }

  async function answer(request: IncomingMessage, client: Socket): Promise<void> {
    client.on('error', () => client.destroy());
    const { status, bytes, socket } = await ask(request);
    client.write(bytes);
    if (status !== 101) return void client.end();
    // Neither side's end reaches the other.
    client.on('data', (chunk) => socket.write(chunk));
    socket.on('data', (chunk) => client.destroyed || client.write(chunk));
  }
  return createServer((request) => void answer(request, request.socket)).on('upgrade', answer);
}

describe('behind iisnode', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dante-iis-'));
  const isWindows = process.platform === 'win32';
  const pipe = isWindows ? `\\\\.\\pipe\\dante-iis-${process.pid}` : join(folder, 'pipe');
  const log = join(folder, 'log');
  const iisnode = createIisnode(pipe);
  let program: Program;
  let port: number;
  before(async () => {
    const env = { PORT: pipe, LOG: log, IISNODE_VERSION: '0.2.26' };
    program = runNode(['-e', INTERCEPTOR, join(ROOT, SCRIPT)], env);
    await until(() => {
      if (program.child.exitCode !== null) throw new Error('The server has ended.');
      return existsSync(log) && /\n$/.test(readFileSync(log, 'utf8'));
    }, 'the server');
    port = await listen(iisnode);
  });
  after(async () => {
    kill(program.child);
    await program.exited;
    iisnode.close();
    iisnode.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  });
  const get = (path: string) => exchange(port, request(`/dante/${SCRIPT}${path}`));
  const upgrade = async (path: string, headers = {}): Promise<number> => {
    const text = handshake(`/dante/${SCRIPT}${path}`, headers);
    return (await exchange(port, text, { keep: true })).status;
  };

  test('the program logs where it listens, and serves the page', async () => {
    assert.equal(readFileSync(log, 'utf8'), `stdoutListening on ${pipe}\n`);
    assert.match((await get('')).body, /<!doctype html>/i);
  });

  for (const Connection of ['Upgrade', 'upgrade', 'keep-alive, Upgrade']) {
    test(`a handshake with Connection: ${Connection} is accepted`, async () => {
      assert.equal(await upgrade('/ws', { Connection }), 101);
      assert.equal(await upgrade('/ws?from=x', { Connection }), 400);
      assert.equal(await upgrade('/wsx', { Connection }), 404);
    });
  }

  test('requests succeed after a refusal, and after a body that never came', async () => {
    const post = request(`/dante/${SCRIPT}`, { 'Content-Length': '3' }, 'POST');
    const posted = exchange(port, post);
    for (let i = 0; i < 10; i += 1) {
      assert.equal(await upgrade('/ws?from=x'), 400);
      assert.equal(await upgrade('/ws', { 'Sec-WebSocket-Version': '8' }), 426);
      assert.equal((await get('/ws')).status, 426);
      assert.equal((await get('/client.js')).status, 200);
    }
    assert.equal((await posted).status, 405);
    assert.equal((await get('/client.js')).status, 200);
  });
});

test('under iisnode, a PORT that is no pipe prints one line and exits with 1', async () => {
  const { output, exited } = runNode([SCRIPT], { PORT: '3000', IISNODE_VERSION: '0.2.26' });
  assert.deepEqual([await exited, output.stdout], [1, '']);
  assert.match(output.stderr, /^PORT: "3000" is not the pipe .* delete the variable PORT .*\n$/);
});

test('without iisnode, a Connection without Upgrade is not accepted', async (t) => {
  const { port } = await startServer(t);
  const text = handshake('/ws', { Connection: 'keep-alive' });
  assert.equal((await exchange(port, text, { keep: true })).status, 426);
});

test('web.config passes the script to iisnode and serves nothing else', () => {
  const text = readFileSync(join(ROOT, 'web.config'), 'utf8').replace(/<!--[^]*?-->/g, '');
  assert.match(text, /<handlers>\s*<clear \/>\s*<add [^>]*\/>\s*<\/handlers>/);
  for (const part of [
    `path="${SCRIPT}" verb="*"`, 'webSocket enabled="false"', 'existingResponse="PassThrough"',
    'watchedFiles=""', 'debuggingEnabled="false"', 'devErrorsEnabled="false"',
  ]) assert.ok(text.includes(part), part);
});

for (const [part, line] of [
  ['dist', /^Cannot find module '.*server\.js'\. Run npm run build in .*\n$/],
  ['node_modules/faye-websocket', /^Cannot find module 'faye-.*'\. Run npm install in .*\n$/],
  ['public', /^Restore public\/, or let this account read it: ENOENT.*public'\.\n$/],
] as const) {
  for (const args of [[SCRIPT], scripts.start.split(' ').slice(1)]) {
    test(`without ${part}, ${args[0]} prints one line with the remedy`, async (t) => {
      const cwd = copyProject(t);
      rmSync(join(cwd, part), { recursive: true });
      const { output, exited } = runNode(args, { PORT: '0' }, { cwd });
      assert.equal(await exited, 1);
      assert.match(output.stderr, line);
    });
  }
}
