/** The examples, as they are after somebody has copied them to src/. */
import './support/bounds.js';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { startApp, startInMemory } from './support/app.js';
import { collect, exchange, handshake, request, until } from './support/client.js';

writeFileSync(`${__dirname}/examples/reply.js`, "module.exports = require('../../dist/reply.js')");

test('the live source sends JSON until its reader leaves', async (t) => {
  const { createLoad } = await import('./examples/load.js');
  const { connect } = startInMemory(t, createLoad(5));
  const socket = connect(handshake());
  await until(() => /({"used":\d+,"total":\d+}.*){9}$/s.test(socket.received), 'messages');
  socket.destroy();
});

test('the chat sends lines to all, one in a turn, and closes who adds to a thousand', async (t) => {
  const { createChat } = await import('./examples/chat.js');
  const { connect } = startInMemory(t, createChat());
  const names = ['Ann', 'n'.repeat(31), ''];
  const [ann, other, third] = names.map((name) => connect(handshake(`/ws?name=${name}`)));
  assert.ok(ann && other && third);
  await until(() => third.received, 'the handshakes');
  ann.sendFrame(0x81, 'hello\nall');
  other.sendFrame(0x81, 'x'.repeat(251));
  await until(() => /Ann: hello all\x81.{3}n{30}: x{250}$/s.test(ann.received), 'two lines');
  const late = connect(handshake('/ws?from=1'));
  await until(() => /"from":1,"total":null}\x81.{3}n{30}: x{250}$/s.test(late.received), 'one');

  for (const socket of [ann, other, third]) socket.sendFrame(0x81, '', 400);
  await turn();
  const early = late.received.split('Ann').length;
  assert.ok(early < 9, `${early} lines in a turn`);
  await until(() => third.received.includes('\x0f\xa8the chat is busy'), 'the close');
  await until(() => late.received.split(/Ann|n{30}|Somebody/).length === 1002, 'a thousand lines');
});

test('a history closes a reader that needs what it no longer has', async (t) => {
  const { createHistory } = await import('./examples/history.js');
  const { publish, stream } = createHistory(3);
  assert.notEqual(stream.origin().epoch, createHistory().stream.origin().epoch);
  const { connect } = startInMemory(t, stream);
  const slow = connect(handshake());
  await until(() => slow.received, 'the handshake');
  slow.isReading = false;
  for (let i = 1; i <= 1000; i += 1) publish(`${i} ${'x'.repeat(1000)}`);
  slow.readOn();
  await until(() => slow.received.includes('\x10\x04some messages are gone'), 'the close');
  const quick = connect(handshake('/ws?from=1'));
  await until(() => quick.received.includes('\x81\x7e\x03\xed1000 x'), 'the last message');
  assert.match(quick.received, /"from":997,"total":null}\x81\x7e\x03\xec998 x/);
});

test('the board takes posts with the secret, and shows them to who has signed in', async (t) => {
  const { createBoard } = await import('./examples/board.js');
  const { stream, onRequest } = createBoard('s3');
  const { port } = await startApp(t, stream, onRequest);
  const url = `http://127.0.0.1:${port}`;
  const post = async (body: string, secret = 's3', path = '/post') => {
    const headers = { Authorization: `Bearer ${secret}` };
    return (await fetch(url + path, { method: 'POST', headers, body })).status;
  };
  const head = request('/post', { Authorization: 'Bearer s3', 'Content-Length': '9' });
  const { socket: leaving } = collect(port, `${head}{`);
  await once(leaving, 'connect');
  leaving.destroy();
  assert.deepEqual([
    await post('{"text":"one"}'), await post('{"text":"two"}', 'wrong'), await post('{'),
    await post('null'), await post('{"text":1}'), await post('x'.repeat(20_000)),
    await post('secret=wrong', '', '/login'), (await fetch(url)).status,
    (await fetch(`${url}/ws`)).status, (await exchange(port, handshake())).status,
  ], [201, 401, 400, 400, 400, 413, 401, 401, 401, 401]);

  const form = { method: 'POST', body: 'secret=s3', redirect: 'manual' } as const;
  const signedIn = await fetch(`${url}/login`, form);
  assert.deepEqual([signedIn.status, signedIn.headers.get('location')], [303, '.']);
  const [cookie = ''] = signedIn.headers.get('set-cookie')?.split(';') ?? [];
  assert.equal((await fetch(url, { headers: { cookie } })).status, 200);
  const { socket, received } = collect(port, handshake('/ws', { Cookie: `a=b; ${cookie}` }));
  await until(() => received().endsWith('one'), 'the message');
  socket.destroy();
});
