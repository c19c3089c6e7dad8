import './support/bounds.js';
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createMetronome } from '../dist/metronome.js';
import { FakeClock } from './support/clock.js';

function setUp(t: TestContext, intervalMs: number) {
  const clock = new FakeClock().install(t);
  const metronome = createMetronome(intervalMs);
  const start = clock.nowMs;
  /** Joins, and records when the listener is called, in milliseconds from the start. */
  const join = (act = (): void => {}) => {
    const times: number[] = [];
    const listener = (): void => void (times.push(clock.nowMs - start), act());
    metronome.join(listener);
    return { times, leave: () => metronome.leave(listener) };
  };
  return { clock, join };
}

test('a late timer delays one call, and 45 late timers cause no drift', (t) => {
  const { clock, join } = setUp(t, 2000);
  const { times } = join();
  for (let k = 1; k <= 45; k += 1) {
    clock.advance(k * 2000 + 999 - clock.nowMs);
    clock.stall(k === 1 || k === 20 ? 1950 : 8);
    clock.advance(0);
  }
  const late = times.map((time, k) => time - (k + 1) * 2000);
  assert.deepEqual(late, Array<number>(45).fill(7).fill(1949, 0, 1).fill(1949, 19, 20));
});

for (const stallMs of [200, 350, 3_600_000]) {
  test(`a stall of ${stallMs} ms at an interval of 100 ms causes one call`, (t) => {
    const { clock, join } = setUp(t, 100);
    const { times } = join();
    clock.stall(stallMs);
    clock.advance(350);
    assert.deepEqual(times, [stallMs, stallMs + 100, stallMs + 200, stallMs + 300]);
  });
}

for (const [intervalMs, limitMs] of [[2000, 10], [50, 5], [100, 10]] as const) {
  test(`every ${intervalMs} ms, listeners that join within ${limitMs} ms share a beat`, (t) => {
    const { clock, join } = setUp(t, intervalMs);
    const first = join();
    clock.advance(limitMs - 1);
    const second = join();
    clock.advance(1);
    const third = join();
    assert.equal(clock.timers.size, 2);
    clock.advance(2 * intervalMs);
    assert.deepEqual(first.times, [intervalMs, 2 * intervalMs]);
    assert.deepEqual(second.times, first.times);
    assert.deepEqual(third.times, first.times.map((time) => time + limitMs));
  });
}

test('a listener that joins just after a beat shares it from then on', (t) => {
  const { clock, join } = setUp(t, 1000);
  const first = join();
  clock.advance(1005);
  const second = join();
  clock.advance(2000);
  assert.deepEqual([first.times, second.times], [[1000, 2000, 3000], [2000, 3000]]);
});

test('a listener that leaves, even during a call, is not called again', (t) => {
  const { clock, join } = setUp(t, 100);
  const own: ReturnType<typeof join> = join(() => own.leave());
  const other = join(() => victim.leave());
  const victim = join();
  clock.advance(300);
  assert.deepEqual([own.times, victim.times, other.times], [[100], [], [100, 200, 300]]);
  other.leave();
  other.leave();
  assert.equal(clock.timers.size, 0);
  const next = join();
  clock.advance(100);
  assert.deepEqual(next.times, [400]);
});

test('a listener that joins during a call is called one interval later', (t) => {
  const { clock, join } = setUp(t, 100);
  const joined: ReturnType<typeof join>[] = [];
  join(() => void (joined.length === 0 && joined.push(join())));
  clock.advance(250);
  assert.deepEqual(joined[0]?.times, [200]);
});

test('1,000 listeners keep their own times for forty beats', (t) => {
  const { clock, join } = setUp(t, 2000);
  const listeners = Array.from({ length: 1000 }, (_, i) => {
    clock.advance((i * 7919) % 13);
    return { joinedAt: clock.nowMs - 1000, ...join() };
  });
  clock.advance(80_000);
  for (const { joinedAt, times } of listeners) {
    const early = times.map((time, k) => joinedAt + (k + 1) * 2000 - time);
    assert.ok(early.length >= 40 && early.every((ms) => ms >= 0 && ms < 10), `${early}`);
  }
  assert.ok(clock.delays.every((delayMs) => delayMs > 0), 'Node warns of a negative delay');
});

test('leave() takes constant time', (t) => {
  const { clock, join } = setUp(t, 60_000);
  const listeners = Array.from({ length: 1000 }, () => (clock.advance(10), join()));
  const { mock } = t.mock.method(Set.prototype, 'delete');
  for (const { leave } of listeners) leave();
  assert.equal(mock.calls.length, 1000);
});
