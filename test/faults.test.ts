import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { before, test } from 'node:test';
import type { Reader } from '../dist/reader.js';
import { createRecital } from '../dist/recital.js';
import './support/bounds.js';
import { FakeClock } from './support/clock.js';
import { createRandom, SEED } from './support/random.js';
import { loadReading, type Socket } from './support/reading.js';

const STANZAS = Array.from({ length: 46 }, (_, i) => `stanza ${i + 1}`);
/** As in src/reader.ts: how long the server is silent before it sends an empty message. */
const SIGN_OF_LIFE_MS = 5000;

type Recital = ReturnType<typeof createRecital>;

/** What a fault can do to one connection. */
interface Link {
  cut(): void;
  freeze(): void;
  thaw(): void;
  /** Closes with a code, as the server does. */
  close(code: number): void;
}

/** The way from one reading to the server. */
interface Way {
  delayMs: number;
  refuses: boolean;
  link?: Link;
}

let Reading: Awaited<ReturnType<typeof loadReading>>;
before(async () => void (Reading = await loadReading()));

for (const intervalMs of [2000, 30_000]) {
  const every = `every ${intervalMs / 1000} s`;
  test(`50 readings ${every} hear all, once, in order; SEED=${SEED}`, async (t) => {
    const clock = new FakeClock().install(t);
    const random = createRandom(SEED);
    const below = (n: number): number => Math.floor(random() * n);
    t.mock.method(Math, 'random', random);
    let recital: Recital | undefined = createRecital(STANZAS, intervalMs);
    const links = new Set<Link>();

    const connect = (way: Way, from: number): Socket => {
      const events = new EventEmitter();
      const queue: { atMs: number; deliver: () => void }[] = [];
      let frozen = false;
      let closed = false;
      let alive: number | undefined;

      /** Delivers in order, as TCP does, however late. */
      const flow = (): void => {
        while (!frozen && queue[0] && queue[0].atMs <= clock.nowMs) queue.shift()?.deliver();
      };
      const later = (deliver: () => void): void => {
        const atMs = Math.max(queue.at(-1)?.atMs ?? 0, clock.nowMs + 1 + way.delayMs);
        queue.push({ atMs, deliver });
        clock.setTimer(flow, atMs - clock.nowMs);
      };
      const send = (data: string): boolean => {
        clock.clearTimer(alive);
        alive = clock.setTimer(() => send(''), SIGN_OF_LIFE_MS);
        later(() => closed || client.onmessage?.(new MessageEvent('message', { data })));
        return true;
      };
      const end = (code: number): void => {
        if (closed) return;
        closed = true;
        links.delete(link);
        clock.clearTimer(alive);
        events.emit('close', { code, reason: '' });
        client.onclose?.({ code } as CloseEvent); // Node has none before 23.
      };
      // The server's side: the recital uses no more of a socket than this.
      const server = Object.assign(events, {
        send,
        close: (code: number) => later(() => end(code)),
      }) as unknown as Reader;
      const client: Socket = {
        onopen: null,
        onmessage: null,
        onclose: null,
        close: () => void clock.setTimer(() => end(1000), 1),
      };
      const link: Link = {
        cut: () => end(1006),
        close: (code) => server.close(code),
        freeze: () => void (frozen = true),
        thaw: () => {
          frozen = false;
          flow();
        },
      };
      way.link = link;
      const to = recital;
      clock.setTimer(() => {
        if (way.refuses || !to || to !== recital) return end(1006);
        if (closed) return;
        links.add(link);
        client.onopen?.(new Event('open'));
        to.begin(server, from);
      }, 1);
      return client;
    };

    const readers = Array.from({ length: 50 }, () => {
      const way: Way = { delayMs: 0, refuses: false };
      const heard: string[] = [];
      const faults = new Map(Array.from({ length: 5 }, () => [1 + below(44), below(5)]));
      const inflict = [
        () => way.link?.cut(),
        () => {
          const { link } = way;
          link?.freeze();
          clock.setTimer(() => link?.thaw(), below(30_000));
        },
        () => void (way.delayMs = below(3000)),
        () => {
          way.refuses = true;
          clock.setTimer(() => (way.refuses = false), below(20_000));
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

    for (const [stanza, isKilled] of [[10, false], [30, true]] as const) {
      clock.setTimer(() => {
        for (const link of links) isKilled ? link.cut() : link.close(4001);
        recital = undefined;
        clock.setTimer(() => (recital = createRecital(STANZAS, intervalMs)), 3000);
      }, stanza * intervalMs);
    }
    const endMs = 60 * intervalMs + 600_000;
    while (clock.next(endMs)) await null; // Probes are answered.

    for (const { heard } of readers) assert.deepEqual(heard, STANZAS);
    for (const { reading } of readers) assert.equal(reading.state.name, 'ended');
    assert.deepEqual([links.size, clock.timers.size], [0, 0]);
  });
}
