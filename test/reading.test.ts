import './support/bounds.js';
import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test, type TestContext } from 'node:test';
import { setImmediate as settle } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { Reading as Class, Socket, State } from '../public/reading.js';
import { FakeClock } from './support/clock.js';
import { ROOT } from './support/program.js';
import { createRandom, SEED } from './support/random.js';

const MESSAGES = Array.from({ length: 46 }, (_, i) => (i % 5 ? `message ${i + 1}` : ''));
const SIGN_OF_LIFE = new Blob([]);
/** What a server does; a number is the HTTP status of every response. */
type Way = 'open' | 'down' | 'silent' | 'refuses WebSockets' | number;
const WAYS: Way[] = ['open', 'open', 'down', 'silent', 'refuses WebSockets', 302, 401, 404, 503];

let Reading: typeof Class;
before(async () => {
  const copy = join(__dirname, 'reading.mjs'); // A module, whatever package.json says.
  copyFileSync(join(ROOT, 'public', 'reading.js'), copy);
  ({ Reading } = await import(pathToFileURL(copy).href));
});

class FakeSocket implements Socket {
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent<unknown>) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  closed = false;
  constructor(readonly from: number) {}
  close = () => void (this.closed = true);
  fail = (code = 1006) => this.onclose?.({ code } as CloseEvent); // Node has none before 23.
  /** Opens if it has not, then sends these messages. */
  send(...messages: (string | Blob)[]): void {
    this.onopen?.(new Event('open'));
    this.onopen = null;
    for (const data of messages) this.onmessage?.(new MessageEvent('message', { data }));
  }
}

const one = (): number => 1;
/** Starts a reading. While the server has no `way`, the test itself opens and fails sockets. */
function begin(t: TestContext, { random = one, delayMs = one, total = MESSAGES.length } = {}) {
  const clock = new FakeClock(t);
  t.mock.method(Math, 'random', random);
  const server: { way?: Way } = {};
  const sockets: FakeSocket[] = [];
  const asks: { atMs: number; signal: AbortSignal }[] = [];
  const states: State[] = [];
  const heard: string[] = [];
  let [failed, isAsking] = [false, false];
  const arrive = (act: () => void): void => {
    setTimeout(() => (server.way === 'silent' ? arrive(act) : act()), delayMs());
  };
  const reading = new Reading({
    total,
    connect(from) {
      const isBad = /down|3..|5../.test(`${server.way}`);
      assert.ok(!failed || isAsking || !isBad, `It connects while the server is ${server.way}.`);
      const socket = new FakeSocket(from);
      let next = from;
      const send = () => {
        if (socket.closed) return;
        failed = server.way !== 'open' && next === from;
        if (server.way !== 'open') return socket.fail();
        socket.send(MESSAGES[next] ?? assert.fail('It is not closed.'));
        next += 1;
        setTimeout(() => arrive(send), 2000);
      };
      if (server.way !== undefined) arrive(() => arrive(send)); // Two round trips.
      sockets.push(socket);
      return socket;
    },
    async ask(signal) {
      asks.push({ atMs: performance.now(), signal });
      isAsking = true;
      await new Promise<void>(arrive);
      if (signal === asks.at(-1)?.signal) isAsking = false;
      if (server.way === 'down') throw new Error('no connection');
      return typeof server.way === 'number' ? server.way : 426;
    },
    onMessage: (message) => heard.push(message),
    onState: (state) => states.push(state),
  });
  const last = () => sockets.at(-1) ?? assert.fail('no connection yet');
  /** How many WebSockets and plain requests there were, and the state. */
  const seen = () => [sockets.length, asks.length, reading.state.name];
  const pass = async (ms: number) => {
    const endMs = clock.nowMs + ms;
    while (clock.next(endMs)) await settle();
    clock.nowMs = endMs;
  };
  reading.resume();
  return { clock, server, sockets, asks, states, heard, reading, last, seen, pass };
}

for (const [code, messages, total, name] of [
  [1000, [], 46, 'ended'],
  [1000, [SIGN_OF_LIFE], 46, 'ended'],
  [1000, [''], 46, 'waiting'],
  [4001, [], 46, 'waiting'],
  [1000, ['1'], Infinity, 'ended'],
  [1006, [...MESSAGES, '47', SIGN_OF_LIFE], Infinity, 'waiting'],
] as const) {
  const sent = `${messages.length} of ${total} messages`;
  test(`a reading is ${name} after ${sent} and close code ${code}`, (t) => {
    const { reading, last } = begin(t, { total });
    last().send(...messages);
    last().fail(code);
    assert.equal(reading.state.name, name);
  });
}

for (const [what, message] of [['a message', ''], ['a sign of life', SIGN_OF_LIFE]] as const) {
  test(`a connection is lost 12 s after it opened, or after ${what}`, (t) => {
    const { clock, reading, sockets, last, seen } = begin(t);
    for (const messages of [[], [message]]) {
      clock.advance(11_999);
      last().send(...messages);
    }
    clock.nowMs += 14_000; // It was busy: a timer comes first, then what has arrived.
    clock.next();
    last().send(message);
    clock.advance(11_999);
    assert.deepEqual([last().closed, reading.heard], [false, message === '' ? 2 : 0]);
    clock.advance(502);
    last().send();
    sockets[0]?.send('late');
    sockets[0]?.fail(1000);
    assert.deepEqual([sockets[0]?.closed, seen()], [true, [2, 0, 'reading']]);
  });

  test(`random waits double from 0.5 s to 15 s, and only ${what} resets them`, (t) => {
    const { clock, states, last } = begin(t, { random: () => 0.9 });
    for (let i = 0; i < 2; i += 1) {
      for (const waitMs of [450, 900, 1800, 3600, 7200, 13_500, 13_500]) {
        last().send();
        const { length } = states;
        last().fail();
        clock.advance(waitMs - 1);
        assert.equal(states.at(-1)?.seconds, 1);
        clock.advance(1);
        const countdown = Array.from({ length: Math.ceil(waitMs / 1000) + 1 }, (_, i) => i);
        assert.deepEqual(states.slice(length).map(({ seconds }) => seconds), countdown.reverse());
      }
      last().send(message);
    }
  });
}

test('after 5 minutes without success every wait is a minute, until resume()', async (t) => {
  const { server, asks, last, reading, pass } = begin(t);
  server.way = 'down';
  last().fail();
  await pass(900_000);
  const waits = asks.map(({ atMs }, i) => atMs - (asks[i - 1]?.atMs ?? 999) - 1);
  const first = [500, 1000, 2000, 4000, 8000, ...Array(19).fill(15_000)];
  assert.deepEqual(waits, [...first, ...Array(waits.length - 24).fill(60_000)]);
  reading.resume();
  await pass(600);
  assert.equal(asks.length, waits.length + 2);
});

for (const way of [
  'down', 301, 307, 500, 503, 599, 'refuses WebSockets', 200, 400, 403, 404, 426, 499,
] as const) {
  const opens = !/down|3..|5../.test(`${way}`);
  const does = opens ? 'opens a WebSocket' : 'waits and asks again';
  test(`after a failed handshake and the answer ${way} a reading ${does}`, async (t) => {
    const { asks, server, sockets, states, last, pass } = begin(t);
    server.way = way;
    last().fail();
    await pass(600_000);
    assert.equal(sockets.length, opens ? asks.length + 1 : 1);
    assert.deepEqual(new Set(states.slice(2).map(({ name }) => name)), new Set(['waiting']));
    assert.equal(states.at(-1)?.status, way === 'down' ? 0 : Number(way) || 426);
    server.way = 'open';
    await pass(60_005);
    last().fail();
    assert.deepEqual(states.at(-1), { name: 'waiting', seconds: 1, status: undefined });
  });
}

test('only resume() asks again after a 401', async (t) => {
  const { server, reading, last, pass, seen } = begin(t);
  server.way = 401;
  last().fail();
  await pass(600_000);
  reading.reconnectNow();
  assert.deepEqual([seen(), reading.state], [[1, 1, 'waiting'], { name: 'waiting', status: 401 }]);
  reading.resume();
  assert.deepEqual(seen(), [1, 2, 'connecting']);
});

for (const [way, closed, status] of [
  [401, true, 401], [503, true, 503], ['open', false, undefined], ['silent', false, undefined],
] as const) {
  test(`without an answer for 3 s a reading connects; then the server is ${way}`, async (t) => {
    const { asks, server, reading, last, pass, seen } = begin(t);
    server.way = 500;
    last().fail();
    await pass(501);
    server.way = 'silent';
    await pass(1000 + 2999);
    assert.deepEqual([seen(), reading.state.status], [[1, 2, 'waiting'], 500]);
    await pass(1);
    last().fail();
    await pass(2000);
    assert.deepEqual([seen(), reading.state.status], [[3, 2, 'waiting'], 0]);
    server.way = way;
    if (way === 'silent') last().send(); // It opens before the answer.
    await pass(3);
    assert.deepEqual([last().closed, reading.state.status, seen()[0]], [closed, status, 3]);
    assert.equal(asks[1]?.signal.aborted, true);
  });
}

test('pause() stops everything; resume() and reconnectNow() continue', async (t) => {
  const { asks, clock, server, reading, last, pass, seen } = begin(t);
  last().send('1', '2');
  reading.pause();
  assert.deepEqual([last().closed, clock.timers.length], [true, 0]);
  for (let i = 0; i < 2; i += 1) reading.resume();
  assert.deepEqual([seen(), last().from], [[2, 0, 'connecting'], 2]);
  last().send();
  last().fail();
  reading.reconnectNow();
  assert.deepEqual(seen(), [3, 0, 'connecting']);
  server.way = 404;
  last().fail();
  reading.reconnectNow(); // A handshake has failed: now a plain request comes first.
  assert.deepEqual(seen(), [3, 1, 'connecting']);
  reading.pause();
  await pass(1000);
  reading.reconnectNow();
  assert.deepEqual([seen(), asks[0]?.signal.aborted], [[3, 1, 'paused'], true]);
  reading.resume();
  assert.deepEqual(seen(), [3, 2, 'connecting']);
});

test('the last message ends a reading, and restart() begins again from any state', (t) => {
  const { clock, reading, sockets, last, seen } = begin(t);
  last().send(...MESSAGES);
  assert.deepEqual([last().closed, clock.timers.length], [true, 0]);
  for (const act of ['resume', 'pause', 'reconnectNow'] as const) reading[act]();
  assert.deepEqual(seen(), [1, 0, 'ended']);
  for (let i = 0; i < 2; i += 1) reading.restart();
  last().send('1');
  reading.restart();
  assert.deepEqual(sockets.map(({ from, closed }) => [from, closed]),
    [[0, true], [0, true], [0, true], [0, false]]);
});

for (const [leaves, how, passMs, aheadMs] of [
  [false, 'is silent for 6 s', 6000, 0],
  [true, 'is silent for longer', 6001, 0],
  [true, 'slept, its monotonic clock too', 0, 60_000],
  [true, 'has its clock set back', 0, -60_000],
] as const) {
  test(`reconnectNow() ${leaves ? 'leaves' : 'keeps'} a connection that ${how}`, (t) => {
    const { clock, reading, sockets, last, seen } = begin(t);
    last().send('1');
    clock.advance(passMs);
    clock.aheadMs += aheadMs;
    for (let i = 0; i < 2; i += 1) reading.reconnectNow();
    assert.equal(sockets[0]?.closed, leaves);
    assert.deepEqual(seen(), leaves ? [2, 0, 'connecting'] : [1, 0, 'reading']);
  });
}

test(`50 readings hear everything in spite of random outages; SEED=${SEED}`, async (t) => {
  const random = createRandom(SEED);
  const below = (n: number) => Math.floor(random() * n);
  for (let i = 0; i < 50; i += 1) {
    t.mock.restoreAll();
    const { clock, server, heard, reading, pass } = begin(t, { random, delayMs: () => below(300) });
    const change = () => (server.way = WAYS[below(WAYS.length)] ?? 'open');
    const acts = [change, change, change, () => reading.pause(), () => reading.resume(), () => {
      clock.aheadMs += below(60_000); // It sleeps, and wakes up.
      reading.reconnectNow();
    }];
    server.way = 'open';
    reading.restart();
    for (let act = 0; act < 40; act += 1) {
      acts[below(acts.length)]?.();
      await pass(below(20_000));
    }
    server.way = 'open';
    reading.resume();
    await pass(300_000);
    assert.deepEqual([heard, reading.state.name], [MESSAGES, 'ended']);
    assert.equal(clock.timers.length, 0);
  }
});
