import './support/bounds.js';
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { kill } from './support/bounds.js';
import { ROOT, runNode, startServer } from './support/program.js';
import { collect, connectTo, exchange, handshake, request } from './support/raw.js';
import { openReader } from './support/reader.js';
import { until } from './support/until.js';

const skip = process.platform === 'win32' && 'Windows has no signals';
const SERVER = join(ROOT, 'dist', 'server.js');

test('it prints its address, and serves the page from any working directory', async (t) => {
  const hasIPv6 = Object.values(networkInterfaces()).flat().some((one) => one?.address === '::1');
  for (const HOST of ['', '127.0.0.1', ...(hasIPv6 ? ['::1'] : [])]) {
    const shown = HOST.includes(':') ? `[${HOST}]` : HOST || 'localhost';
    const { output, port } = await startServer(t, { HOST });
    assert.deepEqual(output, { stdout: `Listening on http://${shown}:${port}/\n`, stderr: '' });
    const response = await fetch(`http://${shown}:${port}/`);
    assert.equal(await response.text(), readFileSync(join(ROOT, 'public', 'index.html'), 'utf8'));
  }
});

test('an invalid setting, or a port in use, prints one line and exits with 1', async (t) => {
  const { port } = await startServer(t);
  // A stream may have a timer.
  const timer = ['-e', `setInterval(() => {}, 1000); require(${JSON.stringify(SERVER)})`];
  for (const [env, line, args = [SERVER]] of [
    [{ INTERVAL_MS: 'soon' }, /^INTERVAL_MS: "soon" is not a whole number from 1 to 60000\.\n$/],
    [{ HOST: '192.0.2.1' }, /^Cannot start: .* EADDRNOTAVAIL: .* 192\.0\.2\.1\. Set .*\n$/],
    [{ PORT: `${port}` }, /^Cannot start: .* EADDRINUSE: .*\. Set another PORT .*\n$/, timer],
  ] as const) {
    const { output, exited } = runNode([...args], { PORT: '0', ...env });
    assert.deepEqual([await exited, output.stdout], [1, '']);
    assert.match(output.stderr, line);
  }
});

test('a socket that was left prints the remedy, and deleting it is one', { skip }, async (t) => {
  const path = join(mkdtempSync(join(tmpdir(), 'dante-')), 'socket');
  const start = () => {
    const program = runNode([SERVER], { PORT: path });
    t.after(() => kill(program.child));
    return program;
  };
  const killed = start();
  await until(() => killed.output.stdout, 'the server');
  killed.child.kill('SIGKILL');
  await killed.exited;
  const { output, exited } = start();
  assert.equal(await exited, 1);
  assert.match(output.stderr, /^Cannot start: .* delete this file if no server uses it\.\n$/);
  rmSync(path);
  const again = start();
  await until(() => again.output.stdout, 'the server');
});

test('SIGTERM waits for the stream to close, for 3 s at most', { skip }, async (t) => {
  for (const [close, limitMs, line] of [
    ["new Promise((done) => setTimeout(() => done(console.error('saved')), 300))", 300, 'saved\n'],
    ['new Promise(() => {})', 3000, ''],
    ["(() => { throw 'no disk'; })()", 0, "The stream did not close: 'no disk'\n"],
  ] as const) {
    const program = runNode(['-e', `
      setInterval(() => {}, 1000); // It holds nothing up.
      const app = require(${JSON.stringify(join(ROOT, 'dist', 'app.js'))});
      const { createApp } = app;
      app.createApp = (stream, ...rest) => createApp({ ...stream, close: () => ${close} }, ...rest);
      require(${JSON.stringify(SERVER)});`], { PORT: '0' });
    t.after(() => kill(program.child));
    await until(() => program.output.stdout, 'the server');
    const startMs = performance.now();
    for (const signal of ['SIGTERM', 'SIGINT'] as const) program.child.kill(signal);
    assert.equal(await program.exited, 0);
    const ms = performance.now() - startMs;
    assert.ok(ms >= limitMs && ms < limitMs + 2500, `${close}: ${ms} ms`);
    assert.equal(program.output.stderr, line);
  }
});

test('a bug prints a stack trace with the line of the .ts file', async () => {
  const program = `require('node:http').createServer = null; require(${JSON.stringify(SERVER)})`;
  const { output, exited } = runNode(['-e', program]);
  assert.equal(await exited, 1);
  assert.match(output.stderr, /TypeError: [^]* at .*src[\\/]app\.ts:\d+:\d+/);
});

test('a connection that fails prints one line, and the server continues', async () => {
  const program = `
    const http = require('node:http');
    const { createServer } = http;
    http.createServer = (...args) => (globalThis.server = createServer(...args));
    require(${JSON.stringify(SERVER)});
    server.once('listening', () => server.emit('error', new Error('accept EMFILE')));
    server.once('listening', () => server.close());`;
  const { output, exited } = runNode(['-e', program], { PORT: '0' });
  assert.equal(await exited, 0);
  assert.equal(output.stderr, "A connection was not accepted: 'accept EMFILE'\n");
});

test('signals close every reader with 4001, and the process exits with 0', { skip }, async (t) => {
  const { child, port, exited } = await startServer(t, { INTERVAL_MS: '60000' });
  const readers = Array.from({ length: 20 }, () => openReader(`ws://127.0.0.1:${port}/ws`));
  await Promise.all(readers.map(({ opened }) => opened));
  // npm and the shell pass one press on, each of them.
  for (const signal of ['SIGINT', 'SIGINT', 'SIGTERM'] as const) child.kill(signal);
  const startMs = performance.now();
  for (const { closed } of readers) {
    assert.deepEqual(await closed, { code: 4001, reason: 'server is shutting down' });
  }
  assert.equal(await exited, 0);
  assert.ok(performance.now() - startMs < 2500, 'it need not wait for 3 s');
});

test('a silent client does not hold it for more than 3 s', { skip }, async (t) => {
  const { child, port, exited } = await startServer(t);
  const { socket, received } = collect(connectTo(port));
  socket.write(handshake());
  await until(() => received().includes('\r\n\r\n'), 'the handshake');
  const startMs = performance.now();
  child.kill('SIGTERM');
  await until(() => received().includes('server is shutting down'), 'the close frame');
  await assert.rejects(exchange(port, request('/')), 'new connections are refused');
  assert.equal(await exited, 0);
  const ms = performance.now() - startMs;
  assert.ok(ms >= 3000 && ms < 4000, `${ms} ms`);
  socket.destroy();
});
