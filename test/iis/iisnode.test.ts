import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { hostInIisnode } from '../../dist/iisnode.js';
import { idle, startInspected } from '../support/inspected.js';
import { connectTo, handshake } from '../support/raw.js';
import { until } from '../support/until.js';

test('a handshake is mended, what comes behind it never', { timeout: 30_000 }, async (t) => {
  const server = createServer();
  t.after(() => server.close());
  hostInIisnode(server);
  let connection: string | undefined;
  let received = '';
  server.on('upgrade', ({ headers }, socket) => {
    ({ connection } = headers);
    t.after(() => socket.destroy());
    socket.on('data', (chunk) => (received += chunk.toString()));
    socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1'); // As it listens on a port.
  t.after(() => client.destroy());
  const text = handshake('/ws', { Connection: 'keep-alive' });
  client.write(text);
  await once(client, 'data');
  assert.equal(connection, 'Upgrade');
  client.write(text);
  await until(() => received.length >= text.length, 'what comes behind it');
  assert.equal(received, text);
});

test('400 readers whose Connection it has replaced leave no socket and no timer', { timeout: 60_000 }, async (t) => {
  const server = await startInspected({ INTERVAL_MS: '5', IISNODE_VERSION: '0.2.26' });
  t.after(() => server.child.kill('SIGKILL'));
  const normalClosure = Buffer.of(0x88, 2, 1000 >> 8, 1000 & 0xff);
  await Promise.all(
    Array.from({ length: 400 }, async (_, i) => {
      const socket = connectTo(server.port).on('error', () => {}); // The reset is its own.
      let last: Buffer = Buffer.alloc(0);
      socket.on('data', (chunk) => (last = chunk));
      socket.write(handshake('/ws?from=30', { Connection: 'keep-alive' }));
      if (i % 2) await until(() => socket.bytesRead > 300, 'some stanzas');
      else await until(() => last.subarray(-4).equals(normalClosure), 'the close');
      if (i % 4 < 2) socket.resetAndDestroy();
      else socket.end();
    }),
  );
  await idle(server);
  assert.equal(server.output.stderr, '');
});
