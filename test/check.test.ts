import './support/bounds.js';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { listen } from './support/app.js';
import { runNode, startServer } from './support/program.js';

/** What a host sends that means ill, by path; else it sends the cookie back. */
const TEXTS: Record<string, string> = {
  '/tags': `${'<'.repeat(99_999)}<script ${' src="'.repeat(30_000)}>`,
  '/else': '\x1b[31m \x9b \x85 \u202e <script type="module" src="http://127.0.0.1:1/client.js">',
};

test('npm run check passes a server, and names faults', async (t) => {
  const { port } = await startServer(t, { INTERVAL_MS: '20' });
  const html = await (await fetch(`http://127.0.0.1:${port}/`)).text();
  const whole = / max="/.test(html) ? ' --whole' : ''; // Without an end, it takes 75 s.
  const hostile = await listen(createServer(({ url = '', headers }, response) => {
    if (url !== '/silent') response.end(TEXTS[url] ?? headers.cookie);
  }).unref());
  for (const [args, code, text] of [
    [`http://u:p@127.0.0.1:${port}/server-faye.js${whole}`, 0, /\n50 reader.* ✔ \n! for[^]*WebKit/],
    [`http://127.0.0.1:${hostile}/silent --timeout 1`, 1, /within 1 s.*\n {4}No answer/],
    [`http://127.0.0.1:${hostile}/ --header Cookie:a=b`, 1, /: ✖\n {4}Seen: 200 'a=b' for GET \/,/],
    ...Object.keys(TEXTS).map((path) =>
      [`http://127.0.0.1:${hostile}${path}`, 1, /\n {4}That is not the page/] as const),
    ['localhost:8888', 1, /^Usage: /],
    ['--tiemout 4', 1, /'--tiemout'.*\nUsage: /s],
  ] as const) {
    const { output, exited } = runNode(['test/check.js', ...args.split(' ')]);
    assert.equal(await exited, code, output.stdout);
    assert.match(output.stdout, text);
    assert.doesNotMatch(output.stdout, /[\0-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
  }
  const { child, output, exited } = runNode(['test/check.js', `http://127.0.0.1:${port}/`]);
  child.stdout.destroy(); // As `| head` does.
  assert.deepEqual([await exited, output.stderr], [0, '']);
});
