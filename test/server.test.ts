import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { behaviours, siteAt, whole } from './support/behaviours.js';
import { connectTo, exchange, handshake } from './support/raw.js';
import { openReader } from './support/reader.js';
import { ROOT, runProgram, startServer } from './support/program.js';
import { copySite } from './support/site.js';
import { until } from './support/until.js';

const WINDOWS = process.platform === 'win32';
const noSignals = WINDOWS && 'Windows has no signals between processes';

const readersAtPort = async (port: number, count: number) => {
  const readers = Array.from({ length: count }, () => openReader(`ws://127.0.0.1:${port}/ws`));
  await Promise.all(readers.map(({ opened }) => opened));
  return readers;
};

/** A reader that hears everything and answers nothing, not even a close. */
const muteReader = async (port: number, t: TestContext) => {
  let text = '';
  const socket = connectTo(port);
  t.after(() => socket.destroy());
  socket.on('error', () => {}); // It may be reset in the end.
  socket.on('data', (chunk) => (text += chunk.toString('latin1')));
  socket.write(handshake());
  await until(() => /\r\n\r\n[^]{3}/.test(text), 'the first message');
  return { told: () => text };
};

describe('server', { timeout: 60_000 }, () => {
  test('it prints one line that says where, and the page is there', async (t) => {
    const { child, output, port } = await startServer();
    t.after(() => child.kill('SIGKILL'));
    assert.deepEqual(output, { stdout: `Dante reads at http://localhost:${port}/\n`, stderr: '' });
    const response = await fetch(`http://localhost:${port}/`);
    assert.equal(await response.text(), readFileSync(join(ROOT, 'public', 'index.html'), 'utf8'));
  });

  test('it names the host that it was given', async (t) => {
    const hasIPv6 = Object.values(networkInterfaces()).flat().some((one) => one?.address === '::1');
    for (const [host, shown] of [['127.0.0.1', '127.0.0.1'], ['::1', '[::1]'], ['localhost', 'localhost']] as const) {
      if (host === '::1' && !hasIPv6) continue;
      const { child, output, port } = await startServer({ HOST: host });
      t.after(() => child.kill('SIGKILL'));
      assert.equal(output.stdout, `Dante reads at http://${shown}:${port}/\n`);
    }
  });

  test('it runs from any working directory', async (t) => {
    const { child, port } = await startServer({}, { cwd: tmpdir() });
    t.after(() => child.kill('SIGKILL'));
    assert.equal((await fetch(`http://localhost:${port}/style.css`)).status, 200);
  });

  test('a stack trace names the line of the .ts file', async () => {
    const program = `
      require('./dist/server.js');
      try { require('./dist/assets.js').loadAssets('/nowhere'); } catch (error) { console.error(error.stack); }
      process.exit();`;
    const { stderr } = await promisify(execFile)(process.execPath, ['-e', program], {
      cwd: ROOT,
      env: { ...process.env, PORT: '0' },
    });
    assert.match(stderr, /src[\\/]assets\.ts:\d+:\d+/);
  });

  test('a connection that could not be accepted is one line, and it goes on', async (t) => {
    const program = `
      const http = require('node:http');
      const { createServer } = http;
      http.createServer = (...args) => (globalThis.server = createServer(...args));
      require('./dist/server.js');
      server.once('listening', () => server.emit('error', new Error('accept EMFILE')));`;
    const { child, output, port } = await startServer({}, { node: [process.execPath, '-e', program, '--'], cwd: ROOT });
    t.after(() => child.kill('SIGKILL'));
    assert.equal((await fetch(`http://localhost:${port}/`)).status, 200);
    assert.equal(output.stderr, 'A connection was refused: accept EMFILE.\n');
  });

  test('all that holds wherever it is hosted holds self-hosted, and nothing is printed on stderr', async (t) => {
    const env = { INTERVAL_MS: '20', NODE_OPTIONS: '--trace-warnings --trace-deprecation' };
    const { child, output, port } = await startServer(env);
    t.after(() => child.kill('SIGKILL'));
    for (const path of ['/', '/dante/server-faye.js']) {
      const site = siteAt(port, path);
      for (const { applies, check } of behaviours) if (applies?.(site) ?? true) await check(site);
    }
    await whole.check(siteAt(port));
    assert.equal(output.stderr, '');
  });

  test('a fault in the program is told with its line in src/', async (t) => {
    const root = copySite(t);
    const file = join(root, 'dist', 'app.js');
    writeFileSync(file, readFileSync(file, 'utf8').replace('const recital =', 'null.x; const recital ='));
    const { output, exited } = runProgram({ PORT: '0' }, { root });
    assert.equal(await exited, 1);
    assert.match(output.stderr, /TypeError: Cannot read properties of null[^]* at .*src[\\/]app\.ts:\d+:\d+/);
  });

  test('a socket file that a killed server left is one line with the remedy', { skip: WINDOWS && 'Windows has pipes' }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'dante-'));
    t.after(() => rmSync(folder, { recursive: true, maxRetries: 5 }));
    const path = join(folder, 'dante.sock');
    const first = runProgram({ PORT: path });
    await until(() => first.output.stdout !== '', 'the server to listen');
    first.child.kill('SIGKILL');
    await first.exited;
    const second = runProgram({ PORT: path });
    assert.equal(await second.exited, 1);
    assert.equal(
      second.output.stderr,
      `Cannot listen on ${path}: it is there already; stop who listens on it or, if nobody does, delete it.\n`,
    );
    rmSync(path);
    const third = runProgram({ PORT: path });
    t.after(() => third.child.kill('SIGKILL'));
    await until(() => third.output.stdout !== '', 'the server to listen');
  });

  test('PORT may be the path of a Unix socket, or a pipe name on Windows', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'dante-'));
    t.after(() => rmSync(folder, { recursive: true, maxRetries: 5 }));
    const path = WINDOWS ? `\\\\.\\pipe\\dante-${process.pid}` : join(folder, 'dante.sock');
    const { child, output } = runProgram({ PORT: path });
    t.after(() => child.kill('SIGKILL'));
    await until(() => output.stdout === `Dante reads at ${path}\n`, 'the server to listen');
    const { status } = await exchange(path, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    assert.equal(status, 200);
  });

  for (const [env, line] of [
    [{ PORT: '99999' }, /^PORT is "99999", but takes .*\n$/],
    [{ PORT: 'http' }, /^PORT is "http", but takes .*\n$/],
    [{ INTERVAL_MS: 'soon' }, /^INTERVAL_MS is "soon", but takes a whole number from 1 to 60000\.\n$/],
    [{ ALLOWED_ORIGINS: 'a.example' }, /^ALLOWED_ORIGINS has "a\.example", but takes .*\n$/],
    [{ HOST: '192.0.2.1' }, /^Cannot listen on port \d+: .*192\.0\.2\.1.*\n$/],
    [{ PORT: '/nowhere/at/all/dante.sock' }, /^Cannot listen on \/nowhere\/at\/all\/dante\.sock: .*\n$/],
  ] as const) {
    test(`${JSON.stringify(env)} is one line on stderr and exit code 1`, async () => {
      const { output, exited } = runProgram({ PORT: '0', ...env });
      assert.equal(await exited, 1);
      assert.equal(output.stdout, '');
      assert.match(output.stderr, line);
    });
  }

  test('a port in use is one line that names it and the remedy, and exit code 1', async (t) => {
    const { child, port } = await startServer();
    t.after(() => child.kill('SIGKILL'));
    const { output, exited } = runProgram({ PORT: String(port) });
    assert.equal(await exited, 1);
    assert.equal(
      output.stderr,
      `Cannot listen on port ${port}: it is in use; stop the program that has it, or set PORT to another.\n`,
    );
  });

  test('no right to listen is one line that names the place and the remedy, and exit code 1', { skip: WINDOWS && 'Windows has other rights' }, async (t) => {
    // Which ports are privileged differs; a folder that may not be written to does not, but for root.
    const folder = copySite(t);
    writeFileSync(join(folder, 'nobody.js'), 'process.setgroups([]); process.setgid(65534); process.setuid(65534);');
    chmodSync(folder, 0o555);
    const node = [process.execPath];
    // Once it runs: this Node itself may stand where only root may go.
    if (process.getuid?.() === 0) node.push('--require', join(folder, 'nobody.js'));
    const path = join(folder, 'dante.sock');
    const { output, exited } = runProgram({ PORT: path }, { root: folder, cwd: folder, node });
    assert.equal(await exited, 1);
    chmodSync(folder, 0o755);
    assert.equal(
      output.stderr,
      `Cannot listen on ${path}: there is no right to; set PORT to another, such as 8888, or get more rights.\n`,
    );
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`${signal} closes 50 readers with 4001 and exits with 0`, { skip: noSignals }, async () => {
      const { child, port, exited } = await startServer();
      const readers = await readersAtPort(port, 50);
      child.kill(signal);
      for (const { closed } of readers) {
        assert.deepEqual(await closed, { code: 4001, reason: 'server is shutting down' });
      }
      assert.equal(await exited, 0);
    });
  }

  test('a reader that never answers and an idle connection do not hold it for 5 seconds', { skip: noSignals }, async (t) => {
    const { child, port, exited } = await startServer();
    const mute = await muteReader(port, t);
    const idle = connectTo(port).on('error', () => {}); // It may be reset in the end.
    t.after(() => idle.destroy());
    await until(() => !idle.connecting, 'the idle connection');
    const [reader] = await readersAtPort(port, 1);
    const start = performance.now();
    child.kill('SIGTERM');
    assert.equal((await reader?.closed)?.code, 4001);
    await assert.rejects(fetch(`http://127.0.0.1:${port}/`), 'new connections are accepted no more');
    assert.equal(await exited, 0);
    assert.ok(performance.now() - start < 5000);
    assert.match(mute.told(), /server is shutting down/);
  });

  test('two signals of one press, as npm and a shell make them, are one: it closes its readers first', { skip: noSignals }, async () => {
    const { child, port, exited } = await startServer();
    const readers = await readersAtPort(port, 5);
    for (let i = 0; i < 3; i += 1) child.kill('SIGINT');
    for (const { closed } of readers) assert.equal((await closed).code, 4001);
    assert.equal(await exited, 0);
  });

  for (const [first, second] of [['SIGTERM', 'SIGTERM'], ['SIGINT', 'SIGTERM']] as const) {
    test(`${second} well after ${first} exits at once`, { skip: noSignals }, async (t) => {
      const { child, port, exited } = await startServer();
      const { told } = await muteReader(port, t);
      const start = performance.now();
      child.kill(first);
      await until(() => told().includes('server is shutting down'), 'the close frame');
      await sleep(600);
      child.kill(second);
      assert.equal(await exited, 1);
      assert.ok(performance.now() - start < 2500, 'it waited as after the first signal');
    });
  }
});
