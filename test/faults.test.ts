import './support/bounds.js';
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { before, test } from 'node:test';
import type { Reader } from '../dist/reader.js';
import { createRecital } from '../dist/recital.js';
import { FakeClock } from './support/clock.js';
import { createRandom, SEED } from './support/random.js';
import { loadReading, type Socket } from './support/reading.js';

const STANZAS = Array.from({ length: 46 }, (_, i) => `stanza ${i + 1}`);
const MAX_SILENCE_MS = 5000; // As in src/reader.ts.

/** One connection, with what can happen to it. */
type Link = { cut(): void; close(code: number): void; freeze(ms: number): void };
/** The network between one reading and the server. */
type Way = { delayMs: number; isDown: boolean; link?: Link };

let Reading: Awaited<ReturnType<typeof loadReading>>;
before(async () => void (Reading = await loadReading()));

for (const intervalMs of [2000, 30_000]) {
  test(`50 readings hear all, once, in order, every ${intervalMs} ms; SEED=${SEED}`, async (t) => {
    const clock = new FakeClock().install(t);
    const random = createRandom(SEED);
    const below = (limit: number): number => Math.floor(random() * limit);
    t.mock.method(Math, 'random', random);
    let recital: ReturnType<typeof createRecital> | undefined = createRecital(STANZAS, intervalMs);
    const links = new Set<Link>();

    function connect(way: Way, from: number): Socket {
      const queue: { atMs: number; deliver: () => void }[] = [];
      let isFrozen = false;
      let isClosed = false;
      let silence: number | undefined;
      const client: Socket = {
        onopen: null, onmessage: null, onclose: null,
        close: () => void clock.setTimer(() => end(1000), 1),
      };
      const close = (code: number): void => later(() => end(code));
      const server = Object.assign(new EventEmitter(), { send, close });

      /** Delivers in order, as TCP does, however late. */
      function flow(): void {
        while (!isFrozen && queue[0] && queue[0].atMs <= clock.nowMs) queue.shift()?.deliver();
      }
      function later(deliver: () => void): void {
        const atMs = Math.max(queue.at(-1)?.atMs ?? 0, clock.nowMs + 1 + way.delayMs);
        queue.push({ atMs, deliver });
        clock.setTimer(flow, atMs - clock.nowMs);
      }
      function send(data: string): boolean {
        clock.clearTimer(silence);
        silence = clock.setTimer(() => send(''), MAX_SILENCE_MS);
        later(() => isClosed || client.onmessage?.(new MessageEvent('message', { data })));
        return true;
      }
      function end(code: number): void {
        if (isClosed) return;
        isClosed = true;
        links.delete(link);
        clock.clearTimer(silence);
        server.emit('close');
        client.onclose?.({ code } as CloseEvent); // Node has none before 23.
      }
      const link: Link = {
        cut: () => end(1006),
        close: server.close,
        freeze: (ms) => {
          isFrozen = true;
          clock.setTimer(() => ((isFrozen = false), flow()), ms);
        },
      };
      way.link = link;
      const to = recital;
      clock.setTimer(() => {
        if (way.isDown || !to || to !== recital) return end(1006);
        if (isClosed) return;
        links.add(link);
        client.onopen?.(new Event('open'));
        // Of a reader, the recital uses no more than this.
        to.begin(server as unknown as Reader, from);
      }, 1);
      return client;
    }

    const readers = Array.from({ length: 50 }, () => {
      const way: Way = { delayMs: 0, isDown: false };
      const heard: string[] = [];
      const faults = new Map(Array.from({ length: 5 }, () => [1 + below(44), below(5)]));
      const inflict = [
        () => way.link?.cut(),
        () => way.link?.freeze(below(30_000)),
        () => void (way.delayMs = below(3000)),
        () => {
          way.isDown = true;
          clock.setTimer(() => void (way.isDown = false), below(20_000));
          way.link?.cut();
        },
        () => {
          reading.pause();
          clock.setTimer(() => reading.resume(), below(5000));
        },
      ];
      const reading = new Reading({
        total: STANZAS.length,
        connect: (from) => connect(way, from),
        probe: async () => 0,
        onMessage: (message) => {
          heard.push(message);
          inflict[faults.get(heard.length) ?? -1]?.();
          faults.delete(heard.length);
        },
        onState: () => {},
      });
      reading.resume();
      return { reading, heard };
    });

    // The server restarts twice: once it closes all connections, once it is killed.
    for (const [stanza, isKilled] of [[10, false], [30, true]] as const) {
      clock.setTimer(() => {
        for (const link of links) isKilled ? link.cut() : link.close(4001);
        recital = undefined;
        clock.setTimer(() => void (recital = createRecital(STANZAS, intervalMs)), 3000);
      }, stanza * intervalMs);
    }
    while (clock.next(60 * intervalMs + 600_000)) await null; // Probes are answered.

    for (const { reading, heard } of readers) {
      assert.deepEqual(heard, STANZAS);
      assert.equal(reading.state.name, 'ended');
    }
    assert.deepEqual([links.size, clock.timers.size], [0, 0]);
  });
}
