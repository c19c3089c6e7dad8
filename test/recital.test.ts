import './support/bounds.js';
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test, type TestContext } from 'node:test';
import { createRecital } from '../dist/recital.js';
import { FakeClock } from './support/clock.js';
import type { Reader } from '../dist/reader.js';

const STANZAS = ['one', 'two', 'three', 'four'];

/** Starts with a reader that records what is sent, with the milliseconds since then. */
function begin(t: TestContext, from = 0, stanzas: readonly string[] = STANZAS) {
  const clock = new FakeClock().install(t);
  const { nowMs: startMs } = clock;
  const sent: [atMs: number, text: string][] = [];
  const closes: (number | undefined)[] = [];
  const reader = Object.assign(new EventEmitter(), {
    full: false,
    sent,
    closes,
    send: (text: string) => !reader.full && sent.push([clock.nowMs - startMs, text]) > 0,
    close: (code?: number) => (closes.push(code), reader.emit('close')),
  });
  // Of a reader, the recital uses no more than this.
  createRecital(stanzas, 2000).begin(reader as unknown as Reader, from);
  return { clock, reader };
}

test('the first stanza comes at once, then one per interval, then close code 1000', (t) => {
  const { clock, reader } = begin(t);
  clock.advance(5999);
  assert.deepEqual(reader.closes, []);
  clock.advance(1);
  assert.deepEqual(reader.sent, [[0, 'one'], [2000, 'two'], [4000, 'three'], [6000, 'four']]);
  assert.deepEqual(reader.closes, [1000]);
  assert.equal(clock.timers.size, 0);
});

test('a reader that reconnects with from=N gets stanza N+1 first', (t) => {
  const { clock, reader } = begin(t, 2);
  clock.advance(2000);
  assert.deepEqual(reader.sent, [[0, 'three'], [2000, 'four']]);
});

test('a reader that has received all stanzas is closed with 1000', (t) => {
  const { clock, reader } = begin(t, STANZAS.length);
  assert.deepEqual([reader.sent, reader.closes, clock.timers.size], [[], [1000], 0]);
});

test('a reader with a full buffer gets nothing, and continues with its next beat', (t) => {
  const { clock, reader } = begin(t);
  reader.full = true;
  clock.advance(7000);
  reader.full = false;
  clock.advance(5000);
  assert.deepEqual(reader.sent, [[0, 'one'], [8000, 'two'], [10_000, 'three'], [12_000, 'four']]);
  assert.deepEqual(reader.closes, [1000]);
});

test('a reader that has left gets nothing more', (t) => {
  const { clock, reader } = begin(t);
  reader.emit('close');
  clock.advance(10_000);
  assert.deepEqual([reader.sent, reader.closes, clock.timers.size], [[[0, 'one']], [], 0]);
});

test('a list of any length is sent to its end', (t) => {
  for (const count of [1, 500]) {
    const stanzas = Array.from({ length: count }, (_, i) => `${i} ${'€𐍈'.repeat(1000)}`);
    const { clock, reader } = begin(t, 0, stanzas);
    clock.advance(2000 * count);
    assert.deepEqual(reader.sent.map(([, text]) => text), stanzas);
    assert.deepEqual(reader.closes, [1000]);
    t.mock.restoreAll();
  }
  assert.equal(createRecital(STANZAS, 1).maxFrom, 4);
});
