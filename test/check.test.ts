import './support/bounds.js';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { listen } from './support/app.js';
import { runNode, startServer } from './support/program.js';

const RUNS: [args: string, code: number, output: RegExp][] = [
  ['http://localhost:1/ http://localhost:2/', 2, /^Usage: /],
  ['http://localhost:1/ --quick', 2, /--quick/],
  ['http://localhost:1/ --timeout 1.5', 2, /^Usage: /],
  ['http://127.0.0.1:1/', 1, /Nothing answers there/],
  ['http://127.0.0.1:PORT/other', 1, /not the page/],
  ['http://127.0.0.1:PORT/late --timeout 1', 1, /no complete response within 1 s/],
  ['http://127.0.0.1:PORT/', 1, /✔ the page .*\n✖ .*\n {4}Seen: UPGRADE .*\n {4}.*passes no/],
];
for (const [args, wanted, text] of RUNS) {
  test(`npm run check -- ${args} prints ${text} and exits with ${wanted}`, async () => {
    const server = createServer(({ url = '' }, response) => {
      response.setHeader('Content-Type', url.endsWith('.js') ? 'text/javascript' : 'text/html');
      if (url !== '/late') response.end(url === '/' && '<script src="client.js"></script>');
    });
    const words = args.replace('PORT', `${await listen(server.unref())}`);
    const { output, exited } = runNode(['test/check.js', ...words.split(' ')]);
    assert.deepEqual([await exited, output.stderr === ''], [wanted, wanted === 1]);
    assert.match(output.stdout + output.stderr, text);
  });
}

test('npm run check passes a server', async (t) => {
  const { port } = await startServer(t, { INTERVAL_MS: '20' });
  const { output, exited } = runNode(['test/check.js', `http://127.0.0.1:${port}/`, '--whole']);
  assert.equal(await exited, 0, output.stdout + output.stderr);
});
