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
const NO_CONNECTION = 0; // As the answer to plain requests; else it is the HTTP status.
const NO_ANSWER = -1;

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

  close(): void {
    this.closed = true;
  }

  /** Opens if it has not, then sends these messages. */
  send(...messages: (string | Blob)[]): void {
    this.onopen?.(new Event('open'));
    this.onopen = null;
    for (const data of messages) this.onmessage?.(new MessageEvent('message', { data }));
  }

  fail(code = 1006): void {
    this.onclose?.({ code } as CloseEvent); // Node has none before 23; only the code is read.
  }
}

/** Starts a reading on fake time, sockets and answers; `random` 1 makes each wait the longest. */
function begin(t: TestContext, { random = 1, total = MESSAGES.length } = {}) {
  const clock = new FakeClock(t);
  t.mock.method(Math, 'random', () => random);
  const server = { answer: NO_CONNECTION, refuses: false };
  const sockets: FakeSocket[] = [];
  const asks: { atMs: number; signal: AbortSignal; answer: (status: number) => void }[] = [];
  const states: State[] = [];
  const last = () => sockets.at(-1) ?? assert.fail('no connection yet');
  const reading = new Reading({
    total,
    connect(from) {
      sockets.push(new FakeSocket(from));
      if (server.refuses) setTimeout(() => last().fail(), 1);
      return last();
    },
    ask: (signal) => new Promise((resolve, reject) => {
      const answer = (status: number) => (status ? resolve(status) : reject(new Error('no way')));
      asks.push({ atMs: clock.nowMs, signal, answer });
      if (server.answer !== NO_ANSWER) answer(server.answer);
    }),
    onMessage() {},
    onState: (state) => states.push(state),
  });
  const pass = async (ms: number) => {
    const endMs = clock.nowMs + ms;
    while (await settle(true) && clock.next(endMs));
    clock.nowMs = endMs;
  };
  /** How many WebSockets and plain requests there were, and the state. */
  const seen = () => [sockets.length, asks.length, reading.state.name];
  reading.resume();
  return { clock, sockets, states, asks, server, reading, last, pass, seen };
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
    const { clock, reading, sockets, last } = begin(t, { total });
    last().send(...messages);
    last().fail(code);
    assert.equal(reading.state.name, name);
    clock.advance(500);
    const from = messages.filter((message) => typeof message === 'string').length;
    assert.deepEqual(sockets.map((socket) => socket.from), name === 'ended' ? [0] : [0, from]);
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
    clock.advance(2);
    assert.equal(last().closed, true);
    clock.advance(500);
    last().send('1');
    sockets[0]?.send('late');
    sockets[0]?.fail(1000);
    assert.deepEqual([reading.heard, seen()], [message === '' ? 3 : 1, [2, 0, 'reading']]);
  });

  test(`random waits double from 0.5 s to 15 s, and only ${what} resets them`, (t) => {
    const { clock, states, last } = begin(t, { random: 0.9 });
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
  const { asks, last, reading, pass } = begin(t);
  last().fail();
  await pass(900_000);
  const waits = asks.map(({ atMs }, i) => atMs - (asks[i - 1]?.atMs ?? 1000));
  const first = [500, 1000, 2000, 4000, 8000, ...Array(19).fill(15_000)];
  assert.deepEqual(waits, [...first, ...Array(waits.length - 24).fill(60_000)]);
  reading.resume();
  await pass(500);
  assert.equal(asks.length, waits.length + 2);
});

for (const [opens, ...statuses] of [
  [false, NO_CONNECTION, 301, 307, 500, 503, 599], [true, 200, 400, 403, 404, 426, 499],
] as const) {
  for (const status of statuses) {
    const does = opens ? 'opens a WebSocket' : 'waits and asks again';
    test(`after a failed handshake and the answer ${status} a reading ${does}`, async (t) => {
      const { asks, server, sockets, states, last, pass } = begin(t);
      Object.assign(server, { answer: status, refuses: true });
      last().fail();
      await pass(600_000);
      assert.equal(sockets.length, opens ? asks.length + 1 : 1);
      assert.deepEqual(new Set(states.slice(2).map(({ name }) => name)), new Set(['waiting']));
      assert.equal(states.at(-1)?.status, status);
      Object.assign(server, { answer: 426, refuses: false });
      for (const { length } = asks; asks.length === length; await pass(1000));
      last().send('1');
      last().fail();
      assert.deepEqual(states.at(-1), { name: 'waiting', seconds: 1, status: undefined });
    });
  }
}

test('only resume() asks again after a 401', async (t) => {
  const { clock, server, reading, last, pass, seen } = begin(t);
  server.answer = 401;
  last().fail();
  await pass(600_000);
  reading.reconnectNow();
  assert.deepEqual([reading.state, clock.timers.length], [{ name: 'waiting', status: 401 }, 0]);
  reading.resume();
  assert.deepEqual(seen(), [1, 2, 'connecting']);
});

for (const [status, does] of [[401, 'ends'], [503, 'ends'], [426, 'does not end']] as const) {
  test(`a reading connects without an answer for 3 s; a late ${status} ${does} it`, async (t) => {
    const { asks, server, last, pass, seen } = begin(t);
    server.answer = NO_ANSWER;
    last().fail();
    await pass(500 + 2999);
    assert.deepEqual(seen(), [1, 1, 'waiting']);
    await pass(1);
    last().fail();
    await pass(1000);
    assert.deepEqual(seen(), [3, 1, 'waiting']);
    asks[0]?.answer(status);
    await settle();
    assert.deepEqual([last().closed, seen()], [does === 'ends', [3, 1, 'waiting']]);
  });
}

test('pause() stops everything, and resume() continues', async (t) => {
  const { asks, clock, server, reading, last, pass, seen } = begin(t);
  last().send('1', '2');
  reading.pause();
  assert.deepEqual([last().closed, clock.timers.length], [true, 0]);
  for (let i = 0; i < 2; i += 1) reading.resume();
  assert.deepEqual([seen(), last().from], [[2, 0, 'connecting'], 2]);
  server.answer = NO_ANSWER;
  last().fail();
  reading.resume();
  reading.pause();
  asks[0]?.answer(426);
  await pass(1000);
  reading.reconnectNow();
  assert.deepEqual([seen(), asks[0]?.signal.aborted], [[2, 1, 'paused'], true]);
  reading.resume();
  assert.deepEqual(seen(), [2, 2, 'connecting']);
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

for (const [leaves, how, act] of [
  [false, 'is silent for 6 s', (clock: FakeClock) => clock.advance(6000)],
  [true, 'is silent for longer', (clock: FakeClock) => clock.advance(6001)],
  [true, 'slept, its monotonic clock too', (clock: FakeClock) => (clock.aheadMs += 60_000)],
  [true, 'has its clock set back', (clock: FakeClock) => (clock.aheadMs -= 60_000)],
] as const) {
  test(`reconnectNow() ${leaves ? 'leaves' : 'keeps'} a connection that ${how}`, (t) => {
    const { clock, reading, sockets, last, seen } = begin(t);
    last().send('1');
    act(clock);
    for (let i = 0; i < 2; i += 1) reading.reconnectNow();
    assert.equal(sockets[0]?.closed, leaves);
    assert.deepEqual(seen(), leaves ? [2, 0, 'connecting'] : [1, 0, 'reading']);
  });
}

test('reconnectNow() ends a wait: with a WebSocket, or with a request once one failed', (t) => {
  const { reading, last, seen } = begin(t);
  last().send('1');
  for (const asks of [0, 1]) {
    last().fail();
    reading.reconnectNow();
    assert.deepEqual(seen(), [2, asks, 'connecting']);
  }
});

test(`50 readings hear everything in spite of random outages; SEED=${SEED}`, async (t) => {
  const clock = new FakeClock(t);
  const random = createRandom(SEED);
  t.mock.method(Math, 'random', random);
  const below = (n: number) => Math.floor(random() * n);
  const ways = ['open', 'open', 'down', 'silent', 'refused', 302, 401, 404, 503] as const;
  const readings = Array.from({ length: 50 }, () => {
    let way: (typeof ways)[number] = 'open'; // A number is the HTTP status of every response.
    let failed = false; // The last handshake.
    let asking: AbortSignal | undefined; // The last plain request, until its answer comes.
    const heard: string[] = [];
    const arrive = (act: () => void): void => {
      setTimeout(() => (way === 'silent' ? arrive(act) : act()), below(300));
    };
    const reading = new Reading({
      total: MESSAGES.length,
      connect(from) {
        if (failed && !asking) assert.ok(!/down|302|503/.test(`${way}`), `connects when ${way}`);
        let next = from;
        const socket = new FakeSocket(from);
        const send = () => {
          if (socket.closed) return;
          failed = way !== 'open' && next === from;
          if (way !== 'open') return socket.fail();
          socket.send(MESSAGES[next] ?? assert.fail('It is not closed.'));
          next += 1;
          setTimeout(() => arrive(send), 2000);
        };
        arrive(send);
        return socket;
      },
      async ask(signal) {
        asking = signal;
        await new Promise<void>(arrive);
        if (asking === signal) asking = undefined;
        if (way === 'down') throw new Error('no connection');
        return typeof way === 'number' ? way : 426;
      },
      onMessage: (message) => heard.push(message),
      onState() {},
    });
    const change = () => (way = ways[below(ways.length)] ?? 'open');
    const acts = [change, change, change, () => reading.pause(), () => reading.resume(), () => {
      clock.aheadMs += below(60_000); // It sleeps, and wakes up.
      reading.reconnectNow();
    }];
    reading.resume();
    let ms = 0;
    for (; ms < 400_000; ms += below(20_000)) setTimeout(() => acts[below(acts.length)]?.(), ms);
    setTimeout(() => ((way = 'open'), reading.resume()), ms);
    return { reading, heard };
  });
  while (clock.next(900_000)) await settle();
  for (const { reading, heard } of readings) {
    assert.deepEqual([heard, reading.state.name], [MESSAGES, 'ended']);
  }
  assert.equal(clock.timers.length, 0);
});
