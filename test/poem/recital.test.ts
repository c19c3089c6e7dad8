import '../support/bounds.js';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRecital } from '../../dist/poem/recital.js';
import { FakeClock } from '../support/clock.js';

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
    const got: unknown[] = [];
    const note = (what: unknown) => got.push([clock.nowMs, what]);
    const reader = {
      on: (event: string, leave: () => void) => event === 'close' && setTimeout(leave, leaveMs),
      send: (text: string) => clock.nowMs >= fullMs && note(text) > 0,
      close: note,
    };
    const recital = createRecital(['one', 'two', 'three', 'four'], 2000);
    // It uses no more of a reader than this, and no request.
    recital.begin(reader as never, from, {} as never);
    clock.advance(40_000);
    assert.deepEqual([got, recital.total, clock.timers], [expected, 4, []]);
  });
}
