import './support/bounds.js';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SCRIPT } from '../dist/app.js';
import { collect, exchange, handshake, request, until } from './support/client.js';
import { ROOT, runNode } from './support/program.js';

/** Instead of iisnode's interceptor.js: moves argv up, and write() returns nothing. */
const INTERCEPTOR = `
process.argv.splice(1, 0, 'interceptor.js'); process.argv.splice(1, 1);
for (const to of [process.stdout, process.stderr]) {
  to.write = (text) => void fs.writeSync(to.fd, text);
}
require(process.argv[1]);`;

test('under iisnode the program serves the page and the stream on a pipe', async (t) => {
  const folder = process.platform === 'win32' ? '\\\\.\\pipe' : tmpdir();
  const pipe = join(folder, `dante-iis-${process.pid}`);
  const env = { PORT: pipe, IISNODE_VERSION: '0.2.26' };
  const { child, output } = runNode(['-e', INTERCEPTOR, join(ROOT, SCRIPT)], env);
  t.after(() => void child.kill());
  await until(() => output.stdout + output.stderr, 'its first line');
  assert.deepEqual(output, { stdout: `Listening on ${pipe}\n`, stderr: '' });
  assert.match((await exchange(pipe, request(`/dante/${SCRIPT}`))).body, /<!doctype html>/i);

  for (const [path, connection, status] of [
    // cprotocolbridge.cpp: any other Connection than Upgrade becomes keep-alive.
    ['/ws', 'Upgrade', 101], ['/ws', 'keep-alive', 101], ['/no', 'keep-alive', 404],
  ] as const) {
    const first = request('/', { Connection: 'keep-alive', method: 'HEAD' });
    const { socket, received } = collect(pipe, first);
    await until(() => received().endsWith('\r\n\r\n'), 'the first response');
    // Another name, for the same header to come last.
    const changes = { Connection: undefined, CONNECTION: connection };
    socket.write(handshake(`/dante/${SCRIPT}${path}`, changes));
    await until(() => received().includes(`HTTP/1.1 ${status} `), `the response ${status}`);
    socket.destroy();
  }
});

test('under iisnode, a PORT that is no pipe prints one line and exits with 1', async () => {
  const { output, exited } = runNode([SCRIPT], { PORT: '3000', IISNODE_VERSION: '0.2.26' });
  assert.deepEqual([await exited, output.stdout], [1, '']);
  assert.match(output.stderr,
    /^PORT: .* Delete the variable PORT of this machine, then net stop was .y, net start w3svc\./);
});

test('web.config passes the script to iisnode and serves nothing else', () => {
  const text = readFileSync(join(ROOT, 'web.config'), 'utf8').replace(/<!--[^]*?-->/g, '');
  assert.match(text, /<handlers>\s*<clear \/>\s*<add [^>]*\/>\s*<\/handlers>/);
  for (const part of [
    `path="${SCRIPT}" verb="*"`, 'webSocket enabled="false"', 'existingResponse="PassThrough"',
    'maxConcurrentRequestsPerProcess="100000"', 'watchedFiles=""',
    'debuggingEnabled="false"', 'devErrorsEnabled="false"',
  ]) assert.ok(text.includes(part), part);
});
