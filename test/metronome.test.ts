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

test('a late timer delays one call, and no call comes early or drifts', (t) => {
  const { clock, join } = setUp(t, 2000);
  const { times } = join();
  const lates = [1999, 7.5, 7.5, 1999, 1999, 7, 0];
  const expected = lates.map((lateMs, k) => (k + 1) * 2000 + lateMs);
  for (const [k, time] of expected.entries()) {
    for (const now of [(k + 1) * 2000 - 0.25, time]) {
      clock.nowMs = 1000 + now;
      clock.advance(0);
    }
  }
  assert.deepEqual(times, expected);
});

for (const stallMs of [200, 350, 3_600_000]) {
  test(`a stall of ${stallMs} ms at an interval of 100 ms causes one call`, (t) => {
    const { clock, join } = setUp(t, 100);
    const { times } = join();
    clock.nowMs += stallMs;
    clock.advance(350);
    assert.deepEqual(times, [stallMs, stallMs + 100, stallMs + 200, stallMs + 300]);
  });
}

for (const [intervalMs, limitMs] of [[2000, 10], [50, 5], [100, 10], [99, 10]] as const) {
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
