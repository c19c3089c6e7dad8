import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { hostInIisnode } from '../../dist/iisnode.js';
import { handshake } from '../support/raw.js';
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
