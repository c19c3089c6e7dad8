import './support/bounds.js';
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createMetronome } from '../dist/metronome.js';
import { FakeClock } from './support/clock.js';

function setUp(t: TestContext, intervalMs: number) {
  const clock = new FakeClock(t);
  const metronome = createMetronome(intervalMs);
  const calls: string[] = []; // The listener's name, and when it was called.
  const join = (name: string, act = (): void => {}) =>
    metronome.join(() => void (calls.push(`${name} ${clock.nowMs}`), act()));
  return { clock, calls, join };
}

test('no call comes early or drifts; a stall of an interval or more causes one call', (t) => {
  const { clock, calls, join } = setUp(t, 2000);
  join('a');
  const steps = [ // Just before a call is due, and when its timer fires.
    [1999.75, 3999], [3999.75, 4007.5], [5999.75, 6007.5], [7999.75, 8007],
    [9999.75, 12_000], [13_999.75, 14_000], [15_999.75, 89_001], [91_000.75, 91_001],
  ];
  for (const nowMs of steps.flat()) {
    clock.nowMs = nowMs;
    clock.advance(0);
  }
  assert.deepEqual(calls, steps.map(([, time]) => `a ${time}`));
});

for (const [intervalMs, limitMs] of [[2000, 10], [50, 5], [99, 10]] as const) {
  test(`every ${intervalMs} ms, listeners that join within ${limitMs} ms share a beat`, (t) => {
    const { clock, calls, join } = setUp(t, intervalMs);
    join('a');
    clock.advance(limitMs - 1);
    join('b');
    clock.advance(1);
    join('c');
    clock.advance(intervalMs);
    assert.deepEqual(calls, [`a ${intervalMs}`, `b ${intervalMs}`, `c ${intervalMs + limitMs}`]);
  });
}

test('listeners may leave and join during a call; the last one ends the timers', (t) => {
  const { clock, calls, join } = setUp(t, 100);
  const leaveA = join('a', () => {
    for (const leave of [leaveA, leaveB]) leave();
    const leaveC = join('c', () => leaveC());
  });
  const leaveB = join('b');
  clock.advance(300);
  assert.deepEqual([calls, clock.timers], [['a 100', 'c 200'], []]);
});
