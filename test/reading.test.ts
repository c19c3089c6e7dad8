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
const SIGN_OF_LIFE = new ArrayBuffer(0);
/** What a server streams: `epoch` names it, and `earliest` of its messages are gone. */
type Run = { epoch?: string; earliest: number; messages: string[] };
const hello = (epoch: string, from: number, total: number | null = null) =>
  new TextEncoder().encode(JSON.stringify({ epoch, from, total })).buffer;
/** What a server does; a number is the HTTP status of every response, 0 if it is down. */
type Way = 'open' | 'silent' | number;
const WAYS: Way[] = ['open', 'open', 'silent', 0, 302, 401, 404, 426, 503];

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
  close = () => void (this.closed = true);
  fail = (code = 1006) => this.onclose?.({ code } as CloseEvent); // Node has none before 23.
  /** Opens if it has not, then sends these messages. */
  send(...messages: (string | ArrayBuffer)[]): void {
    this.onopen?.(new Event('open'));
    this.onopen = null;
    for (const data of messages) this.onmessage?.(new MessageEvent('message', { data }));
  }
}

/** Starts a reading. While the server has no `way`, the test itself opens and fails sockets. */
function begin(t: TestContext, { random = (): number => 1, total = MESSAGES.length } = {}) {
  const clock = new FakeClock(t);
  t.mock.method(Math, 'random', random);
  const server: { way?: Way; run: Run } = { run: { earliest: 0, messages: MESSAGES } };
  const sockets: FakeSocket[] = [];
  const calls: string[] = []; // 'from N' for each WebSocket, 'asks' for each plain request.
  const states: State[] = [];
  const heard: string[] = []; // What the page shows.
  const numbers: number[] = []; // The numbers of these messages.
  const arrive = (act: () => void): void => {
    setTimeout(() => (server.way === 'silent' ? arrive(act) : act()), random() * 300);
  };
  const reading = new Reading({
    total,
    connect(from, epoch) {
      calls.push(`from ${from}`);
      const socket = new FakeSocket();
      const { run } = server;
      const isOther = run.epoch && epoch && run.epoch !== epoch;
      let next = isOther ? run.earliest : Math.max(from, run.earliest);
      let greeting = run.epoch === undefined ? [] : [hello(run.epoch, next)];
      const send = () => {
        if (socket.closed) return;
        if (server.way !== 'open' || server.run !== run || next < run.earliest) {
          return socket.fail();
        }
        const message = run.messages[next] ?? SIGN_OF_LIFE;
        next = Math.min(next + 1, run.messages.length);
        socket.send(...greeting, message);
        greeting = [];
        setTimeout(() => arrive(send), 2000);
      };
      if (server.way !== undefined) arrive(() => arrive(send)); // Two round trips.
      sockets.push(socket);
      return socket;
    },
    async ask() {
      calls.push('asks');
      await new Promise<void>(arrive);
      if (server.way === 0) throw new Error('no connection');
      return typeof server.way === 'number' ? server.way : 426;
    },
    onMessage: (message) => void (heard.push(message), numbers.push(reading.heard)),
    onClear: () => void (heard.length = numbers.length = 0),
    onState: (state) => states.push(state),
  });
  const last = () => sockets.at(-1) ?? assert.fail('no connection yet');
  const pass = async (ms: number) => {
    const endMs = clock.nowMs + ms;
    while (clock.next(endMs)) await settle();
    clock.nowMs = endMs;
  };
  const lose = (way: Way, ms: number) => {
    server.way = way;
    last().fail();
    return pass(ms);
  };
  reading.resume();
  return { clock, server, sockets, calls, states, heard, numbers, reading, last, pass, lose };
}

for (const [code, messages, total, name] of [
  [1000, MESSAGES, 46, 'ended'],
  [1000, [hello('a', 46, 46)], 50, 'ended'],
  [1000, [hello('a', 0, 46)], Infinity, 'waiting'],
  [1000, [SIGN_OF_LIFE], 46, 'waiting'],
  [1000, [''], 46, 'waiting'],
  [4001, [], 46, 'waiting'],
  [1000, ['1'], Infinity, 'ended'],
  [4001, MESSAGES, 46, 'ended'],
] as const) {
  test(`code ${code} after ${messages.length} of ${total} messages: a reading is ${name}`, (t) => {
    const { reading, last } = begin(t, { total });
    last().send(...messages);
    last().fail(code);
    assert.deepEqual([reading.state.name, last().closed], [name, true]);
  });
}

test('a connection without a message or a sign of life for 12 s is lost', (t) => {
  const { clock, reading, calls, sockets, last } = begin(t);
  for (const messages of [[], [''], [SIGN_OF_LIFE]]) {
    clock.advance(11_999);
    last().send(...messages);
  }
  clock.nowMs += 14_000; // It was busy: a timer comes first, then what has arrived.
  clock.next();
  last().send('');
  clock.advance(11_999);
  assert.deepEqual([last().closed, reading.heard], [false, 2]);
  clock.advance(502);
  sockets[0]?.send('late');
  sockets[0]?.fail(1000);
  clock.advance(13_001); // The next one does not open.
  assert.deepEqual([...calls, reading.heard], ['from 0', 'from 2', 'asks', 2]);
});

test('random waits double from 0.5 s to 15 s; after 5 minutes all are a minute', (t) => {
  const { clock, reading, states, last } = begin(t, { random: () => 0.9 });
  const waits = [450, 900, 1800, 3600, 7200, ...Array(22).fill(13_500), 60_000, 60_000];
  for (const reset of [
    () => last().send(''),
    () => last().send(SIGN_OF_LIFE),
    () => reading.restart(),
  ]) {
    reset();
    for (const waitMs of waits) {
      last().send(hello('a', reading.heard)); // To open is no reset.
      const { length } = states;
      last().fail();
      clock.advance(waitMs - 1);
      assert.equal(states.at(-1)?.seconds, 1);
      clock.advance(1);
      const countdown = Array.from({ length: Math.ceil(waitMs / 1000) + 1 }, (_, i) => i);
      assert.deepEqual(states.slice(length).map(({ seconds }) => seconds), countdown.reverse());
    }
  }
});

for (const [does, ways, ...next] of [
  ['asks again', [0, 300, 399, 500, 599], 'asks', 'asks', 'asks'],
  ['connects', [200, 299, 400, 426, 499], 'from 0', 'asks', 'from 0'],
  ['waits for resume()', [401]],
] as const) {
  for (const way of ways) {
    test(`after a failed handshake and the answer ${way} a reading ${does}`, async (t) => {
      const { calls, server, states, reading, last, pass, lose } = begin(t);
      await lose(way, 600_000);
      assert.deepEqual(calls.slice(0, 5), ['from 0', 'asks', ...next]);
      assert.equal(states.map(({ name }) => name).lastIndexOf('connecting'), 0);
      assert.equal(states.at(-1)?.status, way);
      server.way = 'open';
      reading.resume();
      await pass(2000);
      last().fail();
      assert.deepEqual(states.at(-1), { name: 'waiting', seconds: 1, status: undefined });
    });
  }
}

for (const [answer, does, what] of [
  [401, 'ends', 'an attempt'], [503, 'ends', 'an attempt'],
  [426, 'keeps', 'an attempt'], [503, 'keeps', 'a connection'],
] as const) {
  test(`an answer ${answer} after more than 3 s ${does} ${what}`, async (t) => {
    const { calls, server, reading, last, pass, lose } = begin(t);
    await lose(500, 801); // It got an answer, and waits.
    server.way = 'silent';
    await pass(1000 + 2998);
    assert.deepEqual([calls, reading.state.status], [['from 0', 'asks', 'asks'], 500]);
    await pass(1); // 3 s after it asked, it connects.
    await lose('silent', 2000);
    assert.deepEqual([calls.slice(3), reading.state.status], [['from 0', 'from 0'], 0]);
    if (what === 'a connection') last().send();
    server.way = answer;
    await pass(300);
    assert.deepEqual([last().closed, calls.length], [does === 'ends', 5]);
  });
}

test('a stream that ends early is tried three times more, then it has ended', (t) => {
  const { clock, reading, sockets, last } = begin(t);
  for (const count of [3, 6]) {
    last().send('a message');
    while (sockets.length < count) {
      last().fail(1000);
      assert.equal(reading.state.name, 'waiting');
      clock.advance(4000);
    }
  }
  last().fail(1000);
  assert.deepEqual(reading.state, { name: 'ended', isEarly: true });
});

test('after the close code 4008 a reading waits for a minute', async (t) => {
  const { states, last, calls, pass } = begin(t);
  last().send('a message');
  last().fail(4008);
  assert.deepEqual(states.at(-1), { name: 'waiting', seconds: 60, status: 4008 });
  await pass(59_999);
  assert.equal(calls.length, 1);
});

test('a reading goes where hello says, and clears what it has of another epoch', (t) => {
  const { heard, numbers, reading, last } = begin(t, { total: 46 });
  last().send('1', '2', hello('a', 4, 46), '5', hello('a', 5), '6');
  assert.deepEqual([heard, numbers], [['1', '2', '5', '6'], [1, 2, 5, 6]]);
  assert.equal(reading.total, Infinity);
  last().send(hello('b', 1, 3), '2');
  assert.deepEqual([heard, numbers, reading.total], [['2'], [2], 3]);
});

const ACTS = ['resume', 'pause', 'reconnectNow', 'restart'] as const;
/** What a reading does at each of ACTS after something has happened. */
const OUTCOMES: [string, (begun: ReturnType<typeof begin>) => unknown, ...string[]][] = [
  ['6 s of silence', ({ clock }) => clock.advance(6000), 'reading', 'paused', 'reading', 'from 0'],
  ['a long sleep', ({ clock }) => (clock.aheadMs += 6001), 'reading', 'paused', 'from 1', 'from 0'],
  ['a set clock', ({ clock }) => (clock.aheadMs -= 6001), 'reading', 'paused', 'from 1', 'from 0'],
  ['a loss', ({ last }) => last().fail(), 'from 1', 'paused', 'from 1', 'from 0'],
  ['a plain request', ({ lose }) => lose(503, 2200), 'asks', 'paused', 'asks', 'asks'],
  ['the answer 401', ({ lose }) => lose(401, 3000), 'asks', 'paused', 'waiting', 'asks'],
  ['a pause', ({ reading }) => reading.pause(), 'from 1', 'paused', 'paused', 'from 0'],
  ['the end', ({ last }) => last().fail(1000), 'ended', 'ended', 'ended', 'from 0'],
];
for (const [what, happen, ...outcomes] of OUTCOMES) {
  for (const [i, act] of ACTS.entries()) {
    test(`${act}() after ${what}: ${outcomes[i]}`, async (t) => {
      const begun = begin(t, { total: Infinity });
      const { calls, reading, last, pass } = begun;
      last().send('1');
      await happen(begun);
      const old = last();
      calls.length = 0;
      reading[act]();
      if (reading.state.name === 'paused') await pass(20_000);
      assert.equal(calls.join() || reading.state.name, outcomes[i]);
      assert.equal(old.closed, reading.state.name !== 'reading');
    });
  }
}

test(`50 readings hear everything in spite of random outages; SEED=${SEED}`, async (t) => {
  const random = createRandom(SEED);
  const below = (n: number) => Math.floor(random() * n);
  for (let i = 0; i < 50; i += 1) {
    t.mock.restoreAll();
    const { clock, server, heard, reading, pass } = begin(t, { random });
    const change = () => (server.way = WAYS[below(WAYS.length)] ?? 'open');
    const acts = [change, change, change, () => reading.pause(), () => reading.resume(), () => {
      clock.aheadMs += below(60_000); // It sleeps, and wakes up.
      reading.reconnectNow();
    }];
    for (let act = 0; act < 40; act += 1) {
      acts[below(acts.length)]?.();
      await pass(below(20_000));
    }
    server.way = 'open';
    reading.resume();
    await pass(300_000);
    assert.deepEqual([heard, reading.state.name], [MESSAGES, 'ended']);
  }
});

test(`50 readings of a chat show one run, whole and in order; SEED=${SEED}`, async (t) => {
  const random = createRandom(SEED);
  const below = (n: number) => Math.floor(random() * n);
  for (let i = 0; i < 50; i += 1) {
    t.mock.restoreAll();
    const { server, heard, numbers, reading, pass } = begin(t, { random, total: Infinity });
    let runs = 0;
    const restart = (): void => {
      runs += 1;
      server.run = { epoch: `run ${runs}`, earliest: 0, messages: [] };
    };
    const post = (): void => {
      const { epoch, messages } = server.run;
      for (let k = 1 + below(4); k > 0; k -= 1) messages.push(`${epoch}: ${messages.length + 1}`);
    };
    const drop = (): void => {
      server.run.earliest += below(1 + server.run.messages.length - server.run.earliest);
    };
    const change = (): void => void (server.way = WAYS[below(WAYS.length)] ?? 'open');
    const acts = [change, change, post, post, post, post, drop, restart,
      () => reading.pause(), () => reading.resume()];
    restart();
    for (let act = 0; act < 60; act += 1) {
      acts[below(acts.length)]?.();
      await pass(below(20_000));
      const [first = ''] = heard;
      const [epoch] = first.split(':');
      assert.deepEqual(heard, numbers.map((n) => `${epoch}: ${n}`));
      assert.deepEqual(numbers, [...new Set(numbers)].sort((a, b) => a - b));
    }
    server.way = 'open';
    reading.resume();
    await pass(600_000);
    post();
    await pass(60_000);
    const { epoch, earliest, messages } = server.run;
    assert.equal(heard[0]?.startsWith(`${epoch}:`), true);
    const kept = messages.slice(earliest);
    assert.deepEqual(heard.slice(-kept.length), kept);
  }
});
