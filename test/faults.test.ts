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

/** The way from one reading to the server, with its faults; `end` ends the last connection. */
const createWay = () => ({ delayMs: 0, frozenUntilMs: 0, refusesUntilMs: 0, end() {} });

for (const intervalMs of [2000, 30_000]) {
  test(`50 readings every ${intervalMs} ms hear all, once, in order; SEED=${SEED}`, async (t) => {
    const Reading = await loadReading();
    const clock = new FakeClock(t);
    const random = createRandom(SEED);
    const below = (n: number) => Math.floor(random() * n);
    t.mock.method(Math, 'random', random);
    let recital = createRecital(STANZAS, intervalMs);
    let downUntilMs = 0;
    const ends = new Set<(code?: number) => void>(); // One for each connection.

    const connect = (way: ReturnType<typeof createWay>, from: number) => {
      let arrivesMs = 0;
      let alive: NodeJS.Timeout | undefined;

      /** Delivers in order, as TCP does, however late. */
      const later = (arrive: () => void) => {
        arrivesMs = Math.max(arrivesMs, clock.nowMs + 1 + way.delayMs, way.frozenUntilMs);
        setTimeout(arrive, arrivesMs - clock.nowMs);
      };
      const end = (code?: number) => {
        if (!ends.delete(end)) return;
        clearTimeout(alive);
        reader.emit('close');
        client.fail(code);
      };
      const reader = Object.assign(new EventEmitter(), {
        send(data: string): boolean {
          clearTimeout(alive);
          alive = setTimeout(() => reader.send(''), 5000); // As in src/reader.ts.
          later(() => ends.has(end) && client.send(data));
          return true;
        },
        close: (code: number) => later(() => end(code)),
      });
      const client = new FakeSocket(from, () => setTimeout(end, 1));
      ends.add(end);
      way.end = end;
      setTimeout(() => {
        if (clock.nowMs < Math.max(way.refusesUntilMs, downUntilMs)) end();
        if (!ends.has(end)) return;
        client.send();
        recital.begin(reader as unknown as Reader, from); // It uses no more of a reader than this.
      }, 1);
      return client;
    };

    const readings = Array.from({ length: 50 }, () => {
      const way = createWay();
      const heard: string[] = [];
      const faults = [
        () => way.end(),
        () => void (way.frozenUntilMs = clock.nowMs + below(30_000)),
        () => void (way.delayMs = below(3000)),
        () => {
          way.refusesUntilMs = clock.nowMs + below(20_000);
          way.end();
        },
        () => {
          reading.pause();
          setTimeout(() => reading.resume(), below(5000));
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
      setTimeout(() => {
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
    assert.deepEqual([ends.size, clock.timers.length], [0, 0]);
  });
}
