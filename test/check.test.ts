import './support/bounds.js';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { listen } from './support/app.js';
import { runNode, startServer } from './support/program.js';

const FAULTS: [args: string, output: RegExp][] = [
  ['--whole', /^Usage: /],
  ['http://127.0.0.1:1/', /Nothing answers there/],
  ['http://127.0.0.1:PORT/other', /not the page/],
  ['http://127.0.0.1:PORT/late --timeout 1', /no complete response within 1 s/],
  ['http://127.0.0.1:PORT/', /there: ✔.*\n.*: ✖\n {4}Seen: UPGRADE .*\n {4}.*passes no/],
];
for (const [args, text] of FAULTS) {
  test(`npm run check -- ${args} prints ${text} and fails`, async () => {
    const server = createServer(({ url }, response) => {
      if (url !== '/late') response.end(url === '/' && '<script src="client.js"></script>');
    });
    const words = args.replace('PORT', `${await listen(server.unref())}`);
    const { output, exited } = runNode(['test/check.js', ...words.split(' ')]);
    assert.equal(await exited, 1);
    assert.match(output.stdout, text);
  });
}

test('npm run check passes a server', async (t) => {
  const { port } = await startServer(t, { INTERVAL_MS: '20' });
  const { output, exited } = runNode(['test/check.js', `http://127.0.0.1:${port}/`, '--whole']);
  assert.equal(await exited, 0, output.stdout + output.stderr);
});
