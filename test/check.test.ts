import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { describe, test, type TestContext } from 'node:test';
import { behaviours, whole } from './support/behaviours.js';
import { CERT, KEY } from './support/certificate.js';
import { ROOT, runProgram, startServer } from './support/program.js';
import { until } from './support/until.js';

/** Runs the command and resolves with what it said. */
async function check(args: string[], env: Record<string, string> = {}) {
  const { output, exited } = runProgram(env, { script: '.test/check.js', args });
  return { code: await exited, ...output };
}

async function listen(t: TestContext, server: Server): Promise<number> {
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port; // As it listens on a port.
}

const PAGE = '<script type="module" src="server-faye.js/client.js"></script>';

describe('check', { timeout: 120_000 }, () => {
  const local = (port: number): string[] => [`http://localhost:${port}/`];
  const rows: [string, (t: TestContext) => Promise<string[]>, RegExp][] = [
    ['no address', async () => [], /^usage: npm run check -- URL /],
    ['two addresses', async () => ['http://localhost:1/', 'http://localhost:2/'], /^usage: /],
    ['an unknown option', async () => ['http://localhost:1/', '--quick'], /--quick.* usage: /],
    ['a timeout that is none', async () => ['http://localhost:1/', '--timeout', '1.5'], /^--timeout is "1\.5", but takes /],
    ['no URL', async () => ['nonsense'], /^nonsense is no URL of a page: it takes one such as http:/],
    ['a URL of another kind', async () => ['ftp://localhost/'], /^ftp:\/\/localhost\/ is no URL of a page/],
    ['one that refuses', async () => local(1), /^http:\/\/localhost:1\/ refuses the connection/],
    // Which no resolver is asked for, as it can be no name.
    ['one that does not resolve', async () => ['http://a..b/'], /^http:\/\/a\.\.b\/ does not resolve/],
    [
      'one with a certificate of its own making',
      async (t) => [`https://localhost:${await listen(t, createTlsServer({ cert: CERT, key: KEY }))}/`],
      /^https:\S+ has a certificate that is not to be trusted/,
    ],
    [
      'one without TLS',
      async (t) => [`https://localhost:${await listen(t, createServer())}/`],
      /^https:\S+ does not speak TLS: try it with http/,
    ],
    [
      'one that speaks something else',
      async (t) => local(await listen(t, createTcpServer((socket) => void socket.end('SSH-2.0-OpenSSH_9.2\r\n')))),
      /answers with something that is not HTTP/,
    ],
    [
      'one that hangs up',
      async (t) => local(await listen(t, createTcpServer((socket) => void socket.resume().end()))),
      /cannot be reached: /,
    ],
    [
      'another page',
      async (t) => local(await listen(t, createServer((_request, response) => void response.end('It works!')))),
      /answers with status 200 and something else than dante's page/,
    ],
    [
      'one that never answers',
      async (t) => {
        const server = createTcpServer((socket) => void t.after(() => socket.destroy()));
        return [...local(await listen(t, server)), '--timeout', '1'];
      },
      /does not answer within 1 s/,
    ],
  ];
  for (const [name, prepare, sentence] of rows) {
    test(`${name} is one line that says so, and exit code 2`, async (t) => {
      const { code, stdout, stderr } = await check(await prepare(t));
      assert.match(stderr, sentence);
      assert.match(stderr, /^[^\n]+\n$/);
      assert.deepEqual([code, stdout], [2, '']);
    });
  }

  test('what does not hold is ✖, what was expected and seen, and a row of README.md that helps; exit code 1', async (t) => {
    const port = await listen(t, createServer(({ url }, response) => {
      if (url === '/') response.end(PAGE);
      else response.writeHead(404).end('Not found.');
    }));
    const { code, stdout, stderr } = await check([...local(port), '--whole', '--timeout', '1']);
    assert.deepEqual([code, stderr], [1, '']);
    const failures = [...stdout.matchAll(/^✖ .*\n {4}.+\n {4}README\.md helps: (\|.*\|)$/gm)];
    const applicable = [...behaviours, whole].filter(({ applies }) => !applies);
    assert.equal(failures.length, applicable.length, stdout);
    assert.match(stdout, /^ {4}Expected 404, saw 200\.|^ {4}Expected 200, saw 404\.$/m);
  });

  test('every row that it names is there', () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    for (const { help } of [...behaviours, whole]) assert.ok(readme.includes(`\n| ${help} |`), help);
  });

  test('over TLS, with a certificate that is trusted, it goes on as ever', async (t) => {
    const { child, port } = await startServer({ INTERVAL_MS: '20' });
    t.after(() => child.kill('SIGKILL'));
    const tls = createTlsServer({ cert: CERT, key: KEY }, (socket) => {
      const upstream = connect(port, '127.0.0.1');
      for (const end of [socket, upstream]) end.on('error', () => void (socket.destroy(), upstream.destroy()));
      socket.pipe(upstream).pipe(socket);
    });
    const folder = mkdtempSync(join(tmpdir(), 'dante-check-'));
    t.after(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'cert.pem'), CERT);
    const url = `https://localhost:${await listen(t, tls)}/`;
    const tried = runProgram({ NODE_EXTRA_CA_CERTS: join(folder, 'cert.pem') }, { script: '.test/check.js', args: [url] });
    t.after(() => tried.child.kill('SIGKILL'));
    // The rest is as without TLS, and takes its time.
    await until(() => /(?:^[✔✖] .*\n[^]*){4}/m.test(tried.output.stdout) || tried.child.exitCode !== null, 'four behaviours');
    assert.doesNotMatch(tried.output.stdout, /✖/);
    assert.equal(tried.output.stderr, '');
  });
});
