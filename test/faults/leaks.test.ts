import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { idle, startInspected } from '../support/inspected.js';
import { connectTo, handshake } from '../support/raw.js';
import { openReader } from '../support/reader.js';
import { until } from '../support/until.js';

describe('leaks', { timeout: 120_000 }, () => {
  test('while a reader is there, it is counted', async (t) => {
    const server = await startInspected();
    t.after(() => server.child.kill('SIGKILL'));
    const reader = openReader(`ws://127.0.0.1:${server.port}/ws`);
    await reader.opened;
    const { sockets, timers, recitals } = await server.holdings();
    assert.deepEqual({ sockets, timers, recitals }, { sockets: 1, timers: 1, recitals: 1 });
    reader.socket.close();
  });

  test('one that is refused and does not hang up is let go all the same', async (t) => {
    const server = await startInspected();
    t.after(() => server.child.kill('SIGKILL'));
    const stubborn = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    t.after(() => stubborn.destroy());
    stubborn.on('error', () => {}); // It is reset in the end.
    stubborn.write(handshake('/no'));
    await once(stubborn.resume(), 'end');
    await idle(server);
  });

  test('after 2000 readers, to the end or to a cut, nothing is left of any of them', async (t) => {
    const server = await startInspected({ INTERVAL_MS: '5' });
    t.after(() => server.child.kill('SIGKILL'));
    const wave = async (count: number): Promise<void> => {
      const readers = Array.from({ length: count }, async (_, i) => {
        // A third reads to the end, a third hangs up, a third is cut off.
        if (i % 3 === 0) {
          const reader = openReader(`ws://127.0.0.1:${server.port}/ws?from=30`);
          assert.equal((await reader.closed).code, 1000);
          assert.equal(reader.messages.length, 16);
        } else if (i % 3 === 1) {
          const reader = openReader(`ws://127.0.0.1:${server.port}/ws`);
          await reader.opened;
          reader.socket.close();
          await reader.closed;
        } else {
          const socket = connectTo(server.port).on('error', () => {}); // The reset is its own.
          socket.write(handshake());
          await until(() => socket.bytesRead > 300, 'some stanzas');
          socket.resetAndDestroy();
        }
      });
      await Promise.all(readers);
    };
    // The first ones fill caches and compile code that last; what the others add would be a leak.
    for (let i = 0; i < 6; i += 1) await wave(500);
    const before = await idle(server);
    for (let i = 0; i < 4; i += 1) await wave(500);
    const after = await idle(server);
    const growth = after.heapUsed / before.heapUsed - 1;
    assert.ok(growth < 0.08, `the heap grew by ${(growth * 100).toFixed(1)} %`);
    assert.equal(server.output.stderr, '');
  });
});
