import './support/bounds.js';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { listen } from './support/app.js';
import { runNode, startServer } from './support/program.js';

test('npm run check passes a server, and names faults', async (t) => {
  const { port } = await startServer(t, { INTERVAL_MS: '20' });
  const silent = await listen(createServer().unref());
  for (const [args, code, text] of [
    [`http://127.0.0.1:${port}/ --whole`, 0, /: ✔.*\n50 readers.*: ✔ \n$/],
    [`http://127.0.0.1:${port}/no`, 1, /^the page.*: ✖\n {4}Seen: GET \/no: 404 .*\n {4}Correct /],
    ['http://127.0.0.1:1/', 1, /Nothing answers there/],
    [`http://127.0.0.1:${silent}/ --timeout 1`, 1, /no complete response within 1 s/],
    ['localhost:8888 --whole', 1, /^Usage: /],
  ] as const) {
    const { output, exited } = runNode(['test/check.js', ...args.split(' ')]);
    assert.equal(await exited, code, output.stdout);
    assert.match(output.stdout, text);
  }
});
