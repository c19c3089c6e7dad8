import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { createApp } from '../dist/app.js';
import { exchange, handshake } from './support/raw.js';
import { openReader } from './support/reader.js';

const STANZAS = ['one\nuno', 'two', 'three', 'four', 'five'];

describe('stream', { timeout: 60_000 }, () => {
  const { server, close } = createApp(STANZAS, { listen: { port: 0 }, intervalMs: 5, allowedOrigins: new Set() });
  let port = 0;
  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo); // As it listens on a port.
  });
  after(close);

  for (const path of ['/ws', '/dante/server-faye.js/ws', '/ws?from=0', '/ws?x=1']) {
    test(`${path} tells every stanza as one text message, verses joined by a newline, then closes with 1000`, async () => {
      const reader = openReader(`ws://127.0.0.1:${port}${path}`);
      assert.deepEqual(await reader.closed, { code: 1000, reason: '' });
      assert.deepEqual(reader.messages, STANZAS);
    });
  }

  for (let from = 0; from <= STANZAS.length; from += 1) {
    test(`from=${from} goes on after the stanzas that were heard`, async () => {
      const reader = openReader(`ws://127.0.0.1:${port}/ws?from=${from}`);
      assert.deepEqual(await reader.closed, { code: 1000, reason: '' });
      assert.deepEqual(reader.messages, STANZAS.slice(from));
    });
  }

  test('from above the number of stanzas is refused with 400, which says so', async () => {
    const { status, body } = await exchange(port, handshake('/ws?from=6'));
    assert.deepEqual([status, body], [400, 'from is "6", but takes a whole number from 0 to 5.\n']);
  });
});
