import './support/bounds.js';
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import type { Reader } from '../dist/reader.js';
import { createRecital } from '../dist/recital.js';
import { FakeClock } from './support/clock.js';
import { createRandom, SEED } from './support/random.js';
import { FakeSocket, loadReading } from './support/reading.js';

const STANZAS = Array.from({ length: 46 }, (_, i) => `stanza ${i + 1}`);
/** As in src/reader.ts: how long the server is silent before it sends an empty message. */
const SIGN_OF_LIFE_MS = 5000;

/** The way from one reading to the server; `end` and `freeze` are faults of its last connection. */
interface Way {
  delayMs: number;
  refusesUntilMs: number;
  end(code?: number): void;
  freeze(forMs: number): void;
}

for (const intervalMs of [2000, 30_000]) {
  test(`50 readings every ${intervalMs} ms hear all, once, in order; SEED=${SEED}`, async (t) => {
    const Reading = await loadReading();
    const clock = new FakeClock().install(t);
    const random = createRandom(SEED);
    const below = (n: number) => Math.floor(random() * n);
    t.mock.method(Math, 'random', random);
    let recital = createRecital(STANZAS, intervalMs);
    let downUntilMs = 0;
    const ends = new Set<(code?: number) => void>(); // One for each open connection.

    const connect = (way: Way, from: number) => {
      const queue: { atMs: number; arrive: () => void }[] = [];
      let thawMs = 0;
      let closed = false;
      let alive: number | undefined;

      /** Delivers in order, as TCP does, however late. */
      const flow = () => {
        while (clock.nowMs >= Math.max(thawMs, queue[0]?.atMs ?? Infinity)) queue.shift()?.arrive();
      };
      const later = (arrive: () => void) => {
        const atMs = Math.max(queue.at(-1)?.atMs ?? 0, clock.nowMs + 1 + way.delayMs);
        queue.push({ atMs, arrive });
        clock.setTimer(flow, atMs - clock.nowMs);
      };
      const end = (code?: number) => {
        if (closed) return;
        closed = true;
        ends.delete(end);
        clock.clearTimer(alive);
        reader.emit('close');
        client.fail(code);
      };
      const reader = Object.assign(new EventEmitter(), {
        send(data: string): boolean {
          clock.clearTimer(alive);
          alive = clock.setTimer(() => reader.send(''), SIGN_OF_LIFE_MS);
          later(() => closed || client.send(data));
          return true;
        },
        close: (code: number) => later(() => end(code)),
      });
      const client = new FakeSocket(from, () => clock.setTimer(end, 1));
      way.end = end;
      way.freeze = (forMs) => {
        thawMs = clock.nowMs + forMs;
        clock.setTimer(flow, forMs);
      };
      clock.setTimer(() => {
        if (clock.nowMs < Math.max(way.refusesUntilMs, downUntilMs)) return end();
        if (closed) return;
        ends.add(end);
        client.send();
        recital.begin(reader as unknown as Reader, from); // It uses no more of a reader than this.
      }, 1);
      return client;
    };

    const readings = Array.from({ length: 50 }, () => {
      const way: Way = { delayMs: 0, refusesUntilMs: 0, end() {}, freeze() {} };
      const heard: string[] = [];
      const faults = [
        () => way.end(),
        () => way.freeze(below(30_000)),
        () => void (way.delayMs = below(3000)),
        () => {
          way.refusesUntilMs = clock.nowMs + below(20_000);
          way.end();
        },
        () => {
          reading.pause();
          clock.setTimer(() => reading.resume(), below(5000));
        },
      ];
      const plan = new Map(Array.from({ length: 5 }, () => [1 + below(44), faults[below(5)]]));
      const reading = new Reading({
        total: STANZAS.length,
        connect: (from) => connect(way, from),
        probe: async () => 0,
        onMessage: (message) => plan.get(heard.push(message))?.(),
        onState: () => {},
      });
      reading.resume();
      return { reading, heard };
    });

    for (const [stanza, code] of [[10, 4001], [30, undefined]] as const) {
      clock.setTimer(() => {
        for (const end of ends) end(code);
        recital = createRecital(STANZAS, intervalMs);
        downUntilMs = clock.nowMs + 3000;
      }, stanza * intervalMs);
    }
    const endMs = 60 * intervalMs + 600_000;
    while (clock.next(endMs)) await null; // Probes are answered.

    for (const { reading, heard } of readings) {
      assert.deepEqual([heard, reading.state.name], [STANZAS, 'ended']);
    }
    assert.deepEqual([ends.size, clock.timers.size], [0, 0]);
  });
}
