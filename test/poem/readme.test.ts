import '../support/bounds.js';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT, runNode } from '../support/program.js';
import { openReader } from '../support/reader.js';
import { until } from '../support/until.js';

test('README: its idea is a program whose page shows stanzas', async (t) => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const [, idea = ''] = /^```js\n([^]*?)^```$/m.exec(readme) ?? [];
  const text = idea.replace('2000', '20').replace('8888', "0, function () { console.log(':' + " +
    "this.address().port + '/'); }");
  const program = runNode(['-e', text]);
  t.after(() => void program.child.kill());
  const port = await until(() => /:(\d+)/.exec(program.output.stdout)?.[1], 'the port');
  const page = await (await fetch(`http://127.0.0.1:${port}/`)).text();
  assert.match(page, /new WebSocket/);
  const { socket, messages } = openReader(`ws://127.0.0.1:${port}/`);
  await until(() => messages.join().startsWith('stanza 1,stanza 2,'), 'two stanzas');
  socket.close();
});
