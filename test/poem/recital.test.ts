import '../support/bounds.js';
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { canto1 } from '../../dist/poem/canto1.js';
import { createRecital } from '../../dist/poem/recital.js';
import type { Reader } from '../../dist/reader.js';
import { FakeClock } from '../support/clock.js';
import { ROOT } from '../support/program.js';

for (const [name, from, fullMs, leaveMs, ...expected] of [
  ['the first stanza comes at once, then one per interval, then close code 1000', 0, 0, 20_000,
    [0, 'one'], [2000, 'two'], [4000, 'three'], [6000, 'four'], [6000, 1000]],
  ['a reader that reconnects with from=N gets stanza N+1 first', 2, 0, 20_000,
    [0, 'three'], [2000, 'four'], [2000, 1000]],
  ['a reader that has received all stanzas is closed with 1000', 4, 0, 20_000, [0, 1000]],
  ['a reader that has left gets nothing more', 0, 0, 3000, [0, 'one'], [2000, 'two']],
  ['a reader with a full buffer gets nothing, and continues with its next beat', 2, 7000, 20_000,
    [8000, 'three'], [10_000, 'four'], [10_000, 1000]],
] as const) {
  test(name, (t) => {
    const clock = new FakeClock(t);
    const { nowMs: startMs } = clock;
    const got: unknown[] = [];
    const note = (what: unknown) => got.push([clock.nowMs - startMs, what]);
    const reader = Object.assign(new EventEmitter(), {
      send: (text: string) => clock.nowMs - startMs >= fullMs && note(text) > 0,
      close: note,
    });
    const recital = createRecital(['one', 'two', 'three', 'four'], 2000);
    // It uses no more of a reader than this, and no request.
    recital.begin(reader as unknown as Reader, from, {} as IncomingMessage);
    clock.advance(leaveMs);
    reader.emit('close');
    clock.advance(20_000);
    assert.deepEqual(got, expected);
    assert.deepEqual([recital.total, clock.timers.length], [4, 0]);
  });
}

test('the page expects as many messages as there are stanzas, and none is empty', () => {
  const page = readFileSync(`${ROOT}/public/index.html`, 'utf8');
  assert.equal(/<progress [^>]*\bmax="(\d+)"/.exec(page)?.[1], String(canto1.length));
  for (const stanza of canto1) assert.match(stanza, /^\S(.*\S)?(\n\S.*\S)*$/);
});
