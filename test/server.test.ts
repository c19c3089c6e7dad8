import './support/bounds.js';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { collect, handshake, openReader, until } from './support/client.js';
import { ROOT, runNode, SERVER, startServer } from './support/program.js';

const LOAD = `require(${JSON.stringify(SERVER)});`;

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

test('a start that fails says why and exits with 1, whatever the stream has opened', async (t) => {
  const { port } = await startServer(t);
  for (const [env, stderr, change = ''] of [
    [{ INTERVAL_MS: 'soon' }, /^INTERVAL_MS: "soon" is not a whole number from 1 to 60000\.\n$/],
    [{ HOST: '192.0.2.1' }, /^Cannot start: .* EADDRNOTAVAIL: .* 192\.0\.2\.1\. Set .*\n$/],
    [{ PORT: `${port}` }, /^Cannot start: .* EADDRINUSE: .*\. Set .*, free the port, .*\.\n$/],
    // A file that is no socket, as a server leaves it when it is killed.
    [{ PORT: __filename }, /^Cannot start: .*, or delete an unused socket\.\n$/],
    [{}, /TypeError: [^]* at .*src[\\/]app\.ts:\d+:\d+/, "require('http').createServer = null;"],
  ] as const) {
    const program = `setInterval(() => {}, 1000); ${change} ${LOAD}`;
    const { output, exited } = runNode(['-e', program], { PORT: '0', ...env });
    assert.deepEqual([await exited, output.stdout], [1, '']);
    assert.match(output.stderr, stderr);
  }
});

const skip = process.platform === 'win32' && 'Windows has no signals';
const SILENT = 'a silent client';
for (const [what, close, leastMs, line] of [
  ['a stream that saves', "await sleep(300); console.error('saved')", 300, 'saved\n'],
  ['a stream that fails', "throw 'no disk'", 0, "The stream did not close: 'no disk'\n"],
  ['a stream that never closes', 'await new Promise(() => {})', 3000, ''],
  [SILENT, '', 3000, ''],
] as const) {
  test(`signals close readers, and end it after ${leastMs} ms: ${what}`, { skip }, async (t) => {
    const program = `
      const app = require(${JSON.stringify(join(ROOT, 'dist', 'app.js'))});
      const { createApp } = app;
      const { setTimeout: sleep } = require('node:timers/promises');
      app.createApp = (stream, ...rest) => {
        const created = createApp({ ...stream, close: async () => { ${close} } }, ...rest);
        const { server } = created;
        server.on('listening', () => server.emit('error', new Error('accept EMFILE')));
        return created;
      };
      setInterval(() => {}, 1000); // It holds nothing up.
      ${LOAD}`;
    const env = { INTERVAL_MS: '60000' };
    const { child, port, output, exited } = await startServer(t, env, ['-e', program]);
    const { opened, closed } = openReader(`ws://127.0.0.1:${port}/ws`);
    await opened;
    if (what === SILENT) {
      const { received } = collect(port, handshake());
      await until(received, 'the handshake');
    }
    const startMs = performance.now();
    // npm and the shell pass one press on, each of them.
    for (const signal of ['SIGINT', 'SIGINT', 'SIGTERM'] as const) child.kill(signal);
    assert.deepEqual(await closed, { code: 4001, reason: 'server is shutting down' });
    assert.equal(await exited, 0);
    const ms = performance.now() - startMs;
    assert.ok(ms >= leastMs && ms < leastMs + 2500, `${ms} ms`);
    assert.equal(output.stderr, `A connection was not accepted: 'accept EMFILE'\n${line}`);
  });
}
