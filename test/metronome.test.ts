import './support/bounds.js';
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createMetronome } from '../dist/metronome.js';
import { FakeClock } from './support/clock.js';

function setUp(t: TestContext, intervalMs: number) {
  const clock = new FakeClock(t);
  const metronome = createMetronome(intervalMs);
  /** Joins, and records when the listener is called, in milliseconds from the clock's start. */
  const join = (act = (): void => {}) => {
    const times: number[] = [];
    const listener = (): void => void (times.push(clock.nowMs - 1000), act());
    return { times, leave: metronome.join(listener) };
  };
  return { clock, join };
}

for (const [what, intervalMs, steps] of [
  ['a late timer delays one call, and no call comes early or drifts', 2000, [
    [1999.75, 3999], [3999.75, 4007.5], [5999.75, 6007.5], [7999.75, 9999], [9999.75, 11_999],
    [11_999.75, 12_007], [13_999.75, 14_000],
  ]],
  ['a stall of an interval or more causes one call, and others come an interval later', 100, [
    [99.75, 200], [299.75, 300], [399.75, 750], [849.75, 850], [949.75, 9000], [9099.75, 9100],
  ]],
] as const) {
  test(what, (t) => {
    const { clock, join } = setUp(t, intervalMs);
    const { times } = join();
    for (const nowMs of steps.flat()) {
      clock.nowMs = 1000 + nowMs;
      clock.advance(0);
    }
    assert.deepEqual(times, steps.map(([, time]) => time));
  });
}

for (const [intervalMs, limitMs] of [[2000, 10], [50, 5], [99, 10]] as const) {
  test(`every ${intervalMs} ms, listeners that join within ${limitMs} ms share a beat`, (t) => {
    const { clock, join } = setUp(t, intervalMs);
    const first = join();
    clock.advance(limitMs - 1);
    const second = join();
    clock.advance(1);
    const third = join();
    clock.advance(2 * intervalMs + 1);
    assert.deepEqual(first.times, [intervalMs, 2 * intervalMs]);
    assert.deepEqual(second.times, first.times);
    assert.deepEqual(third.times, first.times.map((time) => time + limitMs));
  });
}

test('listeners may leave and join during a call; the last one ends the timers', (t) => {
  const { clock, join } = setUp(t, 100);
  const joined: ReturnType<typeof join>[] = [];
  const own: ReturnType<typeof join> = join(() => (own.leave(), joined.push(join())));
  const other = join(() => victim.leave());
  const victim = join();
  clock.advance(300);
  assert.deepEqual([own.times, victim.times, other.times], [[100], [], [100, 200, 300]]);
  assert.deepEqual(joined.map(({ times }) => times), [[200, 300]]);
  for (const { leave } of [other, ...joined]) leave();
  clock.advance(100);
  assert.deepEqual([other.times.length, clock.timers.length], [3, 0]);
});
