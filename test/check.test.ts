import './support/bounds.js';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createServer as createTcpServer, type Server } from 'node:net';
import { test } from 'node:test';
import { listen } from './support/app.js';
import { behaviours } from './support/behaviours.js';
import { runNode, startServer } from './support/program.js';

/** Runs the check while `server` listens on PORT. */
async function check(args: string, server: Server = createServer()) {
  const words = args.replace('PORT', `${await listen(server)}`).split(' ');
  const { output, exited } = runNode(['.test/check.js', ...words]);
  const code = await exited;
  server.close();
  return { code, ...output };
}

const errors: [args: string, line: RegExp, server?: Server][] = [
  ['http://localhost:1/ http://localhost:2/', /^Usage: /],
  ['http://localhost:1/ --quick', /--quick/],
  ['http://localhost:1/ --timeout 1.5', /^--timeout is "1\.5", but must be /],
  ['nonsense', /^nonsense is not the URL of a page/],
  ['ftp://localhost/', /^ftp:\/\/localhost\/ is not the URL/],
  ['http://127.0.0.1:1/', /^http:\/\/127\.0\.0\.1:1\/ refuses the connection/],
  ['http://a..b/', /^http:\/\/a\.\.b\/ does not resolve/], // No resolver is asked for it.
  ['https://127.0.0.1:PORT/', /does not speak TLS: try http$/m],
  ['http://127.0.0.1:PORT/', /not with dante's/, createServer((_, response) => response.end())],
  ['http://127.0.0.1:PORT/', /after "SSH"/, createTcpServer((socket) => socket.end('SSH'))],
  ['http://127.0.0.1:PORT/', /after ""/, createTcpServer((socket) => socket.resume().end())],
  ['http://127.0.0.1:PORT/ --timeout 1', /No response within 1000/, createTcpServer()],
];
for (const [args, line, server] of errors) {
  test(`npm run check -- ${args} prints ${line} and exits with 2`, async () => {
    const { code, stdout, stderr } = await check(args, server);
    assert.match(stderr, line);
    assert.match(stderr, /^[^\n]+\n$/);
    assert.deepEqual([code, stdout], [2, '']);
  });
}

test('a failed check prints ✖, the cause and a hint, and exits with 1', async () => {
  const server = createServer(({ url }, response) => {
    response.writeHead(url === '/' ? 200 : 404).end('server-faye.js/client.js');
  });
  const run = await check('http://127.0.0.1:PORT/ --whole --timeout 1', server);
  assert.deepEqual([run.code, run.stderr], [1, '']);
  const failures = run.stdout.match(/^✖ .*\n {4}.+\n {4}.+\.$/gm);
  assert.equal(failures?.length, behaviours.length - 1, run.stdout); // All but the one for IIS.
  assert.match(run.stdout, /^ {4}Expected 200, saw 404\.$/m);
});

test('a self-hosted server passes every check and prints nothing on stderr', async (t) => {
  const NODE_OPTIONS = '--trace-warnings --trace-deprecation';
  const { output, port } = await startServer(t, { INTERVAL_MS: '20', NODE_OPTIONS });
  for (const path of ['/', '/dante/server-faye.js']) {
    const url = new URL(path, `http://127.0.0.1:${port}`);
    for (const [, , run] of behaviours) await run({ url, timeoutMs: 30_000, pausesMs: [50] });
  }
  assert.equal(output.stderr, '');
});
