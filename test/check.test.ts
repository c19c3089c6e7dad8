import './support/bounds.js';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createServer as createTcpServer, type Server } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { listen } from './support/app.js';
import { behaviours } from './support/behaviours.js';
import { runNode, startServer } from './support/program.js';

async function check(...args: string[]) {
  const { output, exited } = runNode(['.test/check.js', ...args]);
  return { code: await exited, ...output };
}

async function start(t: TestContext, server: Server): Promise<string> {
  t.after(() => void server.close());
  return `127.0.0.1:${await listen(server)}/`;
}

const PAGE = '<script type="module" src="server-faye.js/client.js"></script>';

describe('check', () => {
  for (const [args, line] of [
    [[], /^Usage: /],
    [['http://localhost:1/', 'http://localhost:2/'], /^Usage: /],
    [['http://localhost:1/', '--quick'], /--quick/],
    [['http://localhost:1/', '--timeout', '1.5'], /^--timeout is "1\.5", but must be /],
    [['nonsense'], /^nonsense is not the URL of a page/],
    [['ftp://localhost/'], /^ftp:\/\/localhost\/ is not the URL/],
    [['http://127.0.0.1:1/'], /^http:\/\/127\.0\.0\.1:1\/ refuses the connection/],
    [['http://a..b/'], /^http:\/\/a\.\.b\/ does not resolve/], // No resolver is asked for it.
  ] as const) {
    test(`npm run check -- ${args.join(' ')} prints one line and exits with 2`, async () => {
      const { code, stdout, stderr } = await check(...args);
      assert.match(stderr, line);
      assert.match(stderr, /^[^\n]+\n$/);
      assert.deepEqual([code, stdout], [2, '']);
    });
  }

  for (const [name, make, line] of [
    ['SSH', () => createTcpServer((socket) => void socket.end('SSH-2')), /closed after "SSH-2"/],
    ['a hang-up', () => createTcpServer((socket) => void socket.resume().end()), /closed after ""/],
    ['silence', () => createTcpServer((socket) => void socket.unref()), /No response within 1000/],
    ['another page', () => createServer((_, response) => void response.end()), /not with dante's/],
    ['no TLS', () => createServer(), /does not speak TLS: try http\n/],
  ] as const) {
    test(`a server with ${name} prints one line and exits with 2`, async (t) => {
      const url = `${name === 'no TLS' ? 'https' : 'http'}://${await start(t, make())}`;
      const { code, stdout, stderr } = await check(url, '--timeout', '1');
      assert.match(stderr, line);
      assert.deepEqual([code, stdout], [2, '']);
    });
  }

  test('a failed check prints ✖, the cause and a hint, and exits with 1', async (t) => {
    const server = createServer(({ url }, response) => {
      if (url === '/') response.end(PAGE);
      else response.writeHead(404, { Connection: 'close' }).end('Not here.');
    });
    const url = `http://${await start(t, server)}`;
    const { code, stdout, stderr } = await check(url, '--whole', '--timeout', '1');
    assert.deepEqual([code, stderr], [1, '']);
    const failures = [...stdout.matchAll(/^✖ .*\n {4}.+\n {4}.+\.$/gm)];
    assert.equal(failures.length, behaviours.length - 1, stdout); // All but the one for IIS.
    assert.match(stdout, /^ {4}Expected 200, saw 404\.$/m);
  });

  test('a self-hosted server passes every check and prints nothing on stderr', async (t) => {
    const NODE_OPTIONS = '--trace-warnings --trace-deprecation';
    const { output, port } = await startServer(t, { INTERVAL_MS: '20', NODE_OPTIONS });
    for (const path of ['/', '/dante/server-faye.js']) {
      const url = new URL(path, `http://127.0.0.1:${port}`);
      for (const [, , run] of behaviours) {
        await run({ url, timeoutMs: 30_000, pausesMs: [50] });
      }
    }
    assert.equal(output.stderr, '');
  });
});
