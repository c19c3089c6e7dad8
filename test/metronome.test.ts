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
  const join = (act = (): void => {}): { times: number[]; leave(): void } => {
    const times: number[] = [];
    const listener = (): void => {
      times.push(clock.nowMs - start);
      act();
    };
    metronome.join(listener);
    return { times, leave: () => metronome.leave(listener) };
  };
  return { clock, join };
}

test('a listener is called every interval, the first time one interval after it joined', (t) => {
  const { clock, join } = setUp(t, 2000);
  const { times } = join();
  clock.advance(6000);
  assert.deepEqual(times, [2000, 4000, 6000]);
});

test('a late timer delays one call, and 45 late timers cause no drift', (t) => {
  const { clock, join } = setUp(t, 2000);
  const { times } = join();
  for (let k = 1; k <= 45; k += 1) {
    clock.advance(k * 2000 + 999 - clock.nowMs);
    clock.stall(k === 20 ? 1950 : 8);
    clock.advance(0);
  }
  const late = times.map((time, k) => time - (k + 1) * 2000);
  assert.deepEqual(late, Array<number>(45).fill(7).fill(1949, 19, 20));
});

for (const stallMs of [200, 350, 3_600_000]) {
  test(`a stall of ${stallMs} ms at an interval of 100 ms is one call`, (t) => {
    const { clock, join } = setUp(t, 100);
    const { times } = join();
    clock.stall(stallMs);
    clock.advance(350);
    assert.deepEqual(times, [stallMs, stallMs + 100, stallMs + 200, stallMs + 300]);
  });
}

test('listeners that join within 10 ms, or a tenth of the interval, share a beat', (t) => {
  for (const [intervalMs, limitMs] of [[2000, 10], [50, 5], [100, 10]] as const) {
    const { clock, join } = setUp(t, intervalMs);
    const [first, second] = [join(), (clock.advance(limitMs - 1), join())];
    assert.equal(clock.timers.size, 1);
    clock.advance(1);
    const third = join();
    assert.equal(clock.timers.size, 2);
    clock.advance(intervalMs);
    assert.deepEqual([first.times, second.times], [[intervalMs], [intervalMs]]);
    assert.deepEqual(third.times, [intervalMs + limitMs]);
    t.mock.restoreAll();
  }
});

test('a listener that joins just after a beat shares it from then on', (t) => {
  const { clock, join } = setUp(t, 1000);
  const first = join();
  clock.advance(1005);
  const second = join();
  clock.advance(2000);
  assert.deepEqual([first.times, second.times], [[1000, 2000, 3000], [2000, 3000]]);
  assert.equal(clock.timers.size, 1);
});

test('a listener that leaves is called no more, also from within its own call or another', (t) => {
  const { clock, join } = setUp(t, 100);
  const own: { times: number[]; leave(): void } = join(() => own.leave());
  const killer = join(() => victim.leave());
  const victim = join();
  join().leave();
  clock.advance(300);
  assert.deepEqual([own.times, victim.times, killer.times], [[100], [], [100, 200, 300]]);
  killer.leave();
  killer.leave();
  assert.equal(clock.timers.size, 0);
});

test('a listener that joins during a beat is called one interval later', (t) => {
  const { clock, join } = setUp(t, 100);
  const joined: { times: number[] }[] = [];
  join(() => void (joined.length === 0 && joined.push(join())));
  clock.advance(250);
  assert.deepEqual(joined[0]?.times, [200]);
});

test('a slow listener makes others late once', (t) => {
  const { clock, join } = setUp(t, 200);
  let busyMs = 100;
  join(() => {
    clock.stall(busyMs);
    busyMs = 0;
  });
  clock.advance(40);
  const other = join();
  clock.advance(1000);
  assert.deepEqual(other.times.slice(0, 4), [300, 440, 640, 840]);
});

test('after all have left, the next listener starts a beat of its own', (t) => {
  const { clock, join } = setUp(t, 100);
  const first = join();
  clock.advance(5);
  first.leave();
  assert.equal(clock.timers.size, 0);
  const second = join();
  clock.advance(100);
  assert.deepEqual([first.times, second.times], [[], [105]]);
});

test('1,000 listeners keep their own times for forty beats', (t) => {
  const { clock, join } = setUp(t, 2000);
  const listeners = Array.from({ length: 1000 }, (_, i) => {
    clock.advance((i * 7919) % 13);
    return { joinedAt: clock.nowMs - 1000, ...join() };
  });
  clock.advance(80_000);
  for (const { joinedAt, times } of listeners) {
    assert.ok(times.length >= 40);
    for (const [k, time] of times.entries()) {
      const earlyMs = joinedAt + (k + 1) * 2000 - time;
      assert.ok(earlyMs >= 0 && earlyMs < 10, `call ${k} came ${earlyMs} ms early`);
    }
  }
  assert.ok(clock.delays.every((delayMs) => delayMs > 0), 'Node warns of a negative delay');
});

test('leaving takes one step, however many beats there are', (t) => {
  const { clock, join } = setUp(t, 60_000);
  const listeners = Array.from({ length: 1000 }, () => (clock.advance(10), join()));
  const { mock } = t.mock.method(Set.prototype, 'delete');
  for (const { leave } of listeners) leave();
  assert.equal(mock.calls.length, 1000);
});
