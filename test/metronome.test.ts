import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { createMetronome } from '../dist/metronome.js';
import { FakeClock } from './support/clock.js';

function setUp(t: TestContext, intervalMs: number) {
  const clock = new FakeClock().install(t);
  const metronome = createMetronome(intervalMs);
  const start = clock.nowMs;
  /** Lets a listener join and returns the times at which it is called, from the start. */
  const join = (): { times: number[]; leave(): void } => {
    const times: number[] = [];
    const listener = (): void => void times.push(clock.nowMs - start);
    metronome.join(listener);
    return { times, leave: () => metronome.leave(listener) };
  };
  return { clock, metronome, join };
}

describe('metronome', { timeout: 60_000 }, () => {
  test('a listener is called every interval, the first time one interval after it joined', (t) => {
    const { clock, join } = setUp(t, 2000);
    const { times } = join();
    clock.advance(6000);
    assert.deepEqual(times, [2000, 4000, 6000]);
  });

  test('a late timer delays that one call and none behind it', (t) => {
    const { clock, join } = setUp(t, 2000);
    const { times } = join();
    clock.advance(1900);
    clock.stall(600);
    clock.advance(5500);
    assert.deepEqual(times, [2500, 4000, 6000, 8000]);
  });

  test('after 45 late timers the schedule has not drifted', (t) => {
    const { clock, join } = setUp(t, 2000);
    const { times } = join();
    for (let k = 1; k <= 45; k += 1) {
      clock.advance(k * 2000 + 999 - clock.nowMs);
      clock.stall(8); // Every timer is 7 ms late.
      clock.advance(0);
    }
    assert.deepEqual(times, Array.from({ length: 45 }, (_, k) => (k + 1) * 2000 + 7));
  });

  test('a stall of several intervals skips no call', (t) => {
    const { clock, join } = setUp(t, 100);
    const { times } = join();
    clock.stall(350);
    clock.advance(50);
    assert.deepEqual(times, [350, 350, 350, 400]);
  });

  test('one who joins while others are overdue does not push them back', (t) => {
    const { clock, join } = setUp(t, 1000);
    const early = join();
    clock.advance(300);
    const middle = join();
    clock.stall(1400); // Both are overdue, early by 700 ms and middle by 400 ms.
    const late = join();
    clock.advance(1400);
    assert.deepEqual(early.times, [1700, 2000, 3000]);
    assert.deepEqual(middle.times, [1700, 2300]);
    assert.deepEqual(late.times, [2700]);
  });

  test('all are served by one timer', (t) => {
    const { clock, join } = setUp(t, 2000);
    for (let i = 0; i < 100; i += 1) {
      join();
      clock.advance(7);
      assert.equal(clock.timers.size, 1);
    }
    clock.advance(5000);
    assert.equal(clock.timers.size, 1);
  });

  test('who joins within 10 ms of another shares its beat, and is never called late', (t) => {
    const { clock, join } = setUp(t, 2000);
    const first = join();
    clock.advance(9);
    const second = join();
    clock.advance(1);
    const third = join();
    clock.advance(3990);
    assert.deepEqual(first.times, [2000, 4000]);
    assert.deepEqual(second.times, [2000, 4000]);
    assert.deepEqual(third.times, [2010]);
  });

  test('at a short interval a beat is shared within a tenth of it', (t) => {
    const { clock, join } = setUp(t, 50);
    const first = join();
    clock.advance(4);
    const second = join();
    clock.advance(2);
    const third = join();
    clock.advance(50);
    assert.deepEqual([first.times, second.times, third.times], [[50], [50], [56]]);
  });

  test('who leaves is called no more, also from within its own call or that of another', (t) => {
    const { clock, metronome, join } = setUp(t, 100);
    const other = join();
    let calls = 0;
    const once = (): void => {
      calls += 1;
      metronome.leave(once);
      other.leave();
    };
    other.leave();
    metronome.join(once);
    join().leave();
    clock.advance(1000);
    assert.equal(calls, 1);
    assert.deepEqual(other.times, []);
  });

  test('who is made to leave by another of the same beat is not called in it', (t) => {
    const { clock, metronome, join } = setUp(t, 100);
    const leaver = { leave: (): void => {} };
    metronome.join(() => leaver.leave());
    const other = join();
    leaver.leave = other.leave;
    clock.advance(1000);
    assert.deepEqual(other.times, []);
  });

  test('who joins in the middle of a beat is called one interval later, not in it', (t) => {
    const { clock, metronome, join } = setUp(t, 100);
    const newcomers: { times: number[] }[] = [];
    metronome.join(() => void newcomers.push(join()));
    clock.advance(200);
    assert.deepEqual(newcomers.map(({ times }) => times), [[200], []]);
  });

  test('a listener that is busy for long makes others late once, also if somebody joins then', (t) => {
    const { clock, metronome, join } = setUp(t, 200);
    const early = join();
    let busyMs = 100;
    clock.advance(20);
    metronome.join(() => {
      clock.stall(busyMs);
      busyMs = 0;
    });
    clock.advance(40);
    const other = join();
    clock.advance(140);
    clock.stall(30); // The busy one is overdue, and somebody joins before the timer comes.
    const newcomer = join();
    clock.advance(2000);
    assert.deepEqual(early.times.slice(0, 3), [200, 400, 600]);
    const [late = 0, ...onTime] = other.times;
    assert.ok(late > 260, 'it was late once');
    assert.deepEqual(onTime.slice(0, 9), Array.from({ length: 9 }, (_, k) => 460 + k * 200));
    assert.deepEqual(newcomer.times.slice(0, 3), [430, 630, 830]);
  });

  test('who joins in a busy beat is called one interval after that, and nobody behind it is late again', (t) => {
    const { clock, metronome, join } = setUp(t, 200);
    const newcomers: { times: number[] }[] = [];
    metronome.join(() => {
      if (newcomers.length > 0) return;
      clock.stall(100);
      newcomers.push(join());
    });
    clock.advance(40);
    const other = join();
    clock.advance(1000);
    assert.deepEqual(other.times.slice(0, 4), [300, 440, 640, 840]);
    assert.deepEqual(newcomers[0]?.times.slice(0, 3), [500, 700, 900]);
  });

  test('a beat that is due already is asked for at once: Node warns of a negative delay', (t) => {
    const { clock, metronome, join } = setUp(t, 100);
    metronome.join(() => clock.stall(250));
    join();
    clock.advance(1000);
    assert.ok(clock.delays.length > 3);
    assert.ok(clock.delays.every((delayMs) => delayMs >= 0), String(clock.delays));
  });

  test('when all have left, no timer is left', (t) => {
    const { clock, join } = setUp(t, 100);
    const listeners = [join(), join(), join()];
    for (const { leave } of listeners) leave();
    assert.equal(clock.timers.size, 0);
    const again = join();
    clock.advance(100);
    assert.deepEqual(again.times, [100]);
    again.leave();
    again.leave();
    assert.equal(clock.timers.size, 0);
  });

  test('a thousand listeners keep their own times over forty beats', (t) => {
    const { clock, join } = setUp(t, 2000);
    const listeners: { joined: number; times: number[] }[] = [];
    for (let i = 0; i < 1000; i += 1) {
      listeners.push({ joined: clock.nowMs - 1000, ...join() });
      clock.advance((i * 7919) % 13);
    }
    clock.advance(80_000);
    for (const { joined, times } of listeners) {
      for (const [k, time] of times.entries()) {
        const early = joined + (k + 1) * 2000 - time;
        assert.ok(early >= 0 && early < 10, `call ${k} was ${early} ms early`);
      }
      assert.ok(times.length >= 40);
    }
  });
});
