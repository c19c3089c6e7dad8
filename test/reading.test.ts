import './support/bounds.js';
import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { before, test, type TestContext } from 'node:test';
import { setImmediate as settle } from 'node:timers/promises';
import type { Reading as Class, Socket } from '../public/reading.js';
import { FakeClock } from './support/clock.js';
import { ROOT } from './support/program.js';
import { createRandom, SEED } from './support/random.js';

const SIGN_OF_LIFE = new ArrayBuffer(0);
const hello = (epoch: string, from: number, total: number | null = null) =>
  new TextEncoder().encode(JSON.stringify({ epoch, from, total })).buffer;
/** What a server does; a number is the HTTP status of every response, 0 if it is down. */
type Way = 'open' | 'silent' | number;

let Reading: typeof Class;
before(async () => {
  // A module, whatever package.json says.
  copyFileSync(`${ROOT}/public/reading.js`, `${__dirname}/reading.mjs`);
  ({ Reading } = await import('./reading.mjs' as string));
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
function begin(t: TestContext, { random = (): number => 1, total = Infinity } = {}) {
  const clock = new FakeClock(t);
  t.mock.method(Math, 'random', random);
  const run = { epoch: 'a', earliest: 0, messages: [] as string[] }; // `earliest` are gone.
  const server = { way: undefined as Way | undefined, run, socket: new FakeSocket() };
  const calls: string[] = []; // 'from N' for each WebSocket, 'asks' for each plain request.
  const shown: string[] = []; // What is on the page.
  const travel = async (ms = 0): Promise<void> => {
    await new Promise<void>((arrive) => void setTimeout(arrive, ms + random() * 300));
    if (server.way === 'silent') await travel();
  };
  const serve = async (to: FakeSocket, from: number, epoch = server.run.epoch) => {
    const { run } = server;
    let next = epoch === run.epoch ? Math.max(from, run.earliest) : run.earliest;
    let data: string | ArrayBuffer = hello(run.epoch, next);
    await travel(); // A round trip more than others.
    for (await travel(); !to.closed; await travel(2000)) {
      if (server.way !== 'open' || server.run !== run || next < run.earliest) return to.fail();
      to.send(data);
      data = run.messages[next] ?? SIGN_OF_LIFE;
      next = Math.min(next + 1, run.messages.length);
    }
  };
  const reading = new Reading({
    total,
    connect(from, epoch) {
      calls.push(`from ${from}`);
      server.socket = new FakeSocket();
      if (server.way !== undefined) void serve(server.socket, from, epoch);
      return server.socket;
    },
    async ask() {
      calls.push('asks');
      await travel();
      if (server.way === 0) throw new Error('no connection');
      return typeof server.way === 'number' ? server.way : 426;
    },
    onMessage: (message) => shown.push(`${reading.heard}: ${message}`),
    onClear: () => void (shown.length = 0),
    onState: () => {},
  });
  const pass = async (ms: number) => {
    const endMs = clock.nowMs + ms;
    while (clock.next(endMs)) await settle();
  };
  const lose = (way: Way, ms: number) => {
    server.way = way;
    server.socket.fail();
    return pass(ms);
  };
  reading.resume();
  return { clock, server, calls, shown, reading, pass, lose };
}

test('a stream that ends early is tried three times more; the last message ends it', (t) => {
  const { clock, server, calls, reading } = begin(t, { total: 3 });
  for (const messages of [['1'], [], [], ['2'], [], [], [SIGN_OF_LIFE]]) {
    server.socket.send(...messages);
    server.socket.fail(1000);
    clock.advance(4000);
  }
  assert.deepEqual([calls.length, reading.state], [7, { name: 'ended', isEarly: true }]);
  reading.restart();
  assert.deepEqual(reading.state, { name: 'connecting' });
  server.socket.send('1', '2', '3');
  assert.deepEqual([reading.state, server.socket.closed], [{ name: 'ended' }, true]);
});

test('a reading goes where hello says, and clears what it has of another epoch', (t) => {
  const { server, shown, reading } = begin(t, { total: 46 });
  server.socket.send('one', hello('a', 4, 46), 'five', hello('a', 5), 'six');
  assert.deepEqual([shown, reading.total], [['1: one', '5: five', '6: six'], Infinity]);
  server.socket.send(hello('b', 1, 3), 'two', hello('b', 3, 3));
  server.socket.fail(1000);
  assert.deepEqual([shown, reading.total, reading.state], [['2: two'], 3, { name: 'ended' }]);
});

test('a connection without a message or a sign of life for 12 s is lost', (t) => {
  const { clock, server, calls, reading } = begin(t);
  const { socket } = server;
  for (const messages of [[], [''], [SIGN_OF_LIFE]]) {
    clock.advance(11_999);
    socket.send(...messages);
  }
  clock.nowMs += 14_000; // It was busy: a timer comes first, then what has arrived.
  clock.next();
  socket.send('');
  clock.advance(12_501);
  socket.send('late');
  socket.fail(1000);
  clock.advance(13_001); // The next one does not open.
  assert.deepEqual([...calls, reading.heard], ['from 0', 'from 2', 'asks', 2]);
});

test('random waits double from 0.5 s to 15 s; after 5 minutes or code 4008, a minute', (t) => {
  const { clock, server, reading } = begin(t, { random: () => 0.9 });
  const waits = [450, 900, 1800, 3600, 7200, ...Array(22).fill(13_500), 60_000, 60_000];
  const send = (data: string | ArrayBuffer) => server.socket.send(data);
  for (const reset of [() => send(''), () => send(SIGN_OF_LIFE), () => reading.restart()]) {
    reset();
    for (const waitMs of waits) {
      send(hello('a', reading.heard)); // To open is no reset.
      server.socket.fail();
      clock.advance(waitMs - 1);
      assert.equal(reading.state.seconds, 1);
      clock.advance(1);
      assert.equal(reading.state.seconds, 0);
    }
  }
  send('');
  server.socket.fail(4008);
  for (let seconds = 60; seconds >= 0; seconds -= 1) {
    assert.deepEqual(reading.state, { name: 'waiting', seconds, status: 4008 });
    clock.advance(1000);
  }
});

for (const [way, next] of [
  [0, 'asks'], [300, 'asks'], [399, 'asks'], [500, 'asks'],
  [299, 'from 0'], [400, 'from 0'], [499, 'from 0'], [401, undefined],
] as const) {
  test(`after a failed handshake and the answer ${way}: ${next ?? 'waits'}`, async (t) => {
    const { calls, server, reading, pass, lose } = begin(t);
    await lose(way, 600_000);
    assert.deepEqual([calls[1], calls[2], reading.state.status], ['asks', next, way]);
    server.way = 'open';
    reading.resume();
    await pass(2000);
    server.socket.fail();
    assert.deepEqual(reading.state, { name: 'waiting', seconds: 1, status: undefined });
  });
}

for (const [answer, does, what] of [
  [503, 'ends', 'an attempt'], [426, 'keeps', 'an attempt'], [503, 'keeps', 'a connection'],
] as const) {
  test(`an answer ${answer} after more than 3 s ${does} ${what}`, async (t) => {
    const { calls, server, reading, pass, lose } = begin(t);
    await lose(500, 801); // It got an answer, and waits.
    await lose('silent', 3998);
    assert.deepEqual([calls, reading.state.status], [['from 0', 'asks', 'asks'], 500]);
    await pass(1); // 3 s after it asked, it connects.
    await lose('silent', 2000);
    assert.deepEqual([calls.slice(3), reading.state.status], [['from 0', 'from 0'], 0]);
    if (what === 'a connection') server.socket.send();
    server.way = answer;
    await pass(300);
    assert.deepEqual([server.socket.closed, calls.length], [does === 'ends', 5]);
  });
}

const ACTS = ['resume', 'pause', 'reconnectNow', 'restart'] as const;
/** What a reading does at each of ACTS after something has happened. */
const OUTCOMES: [string, (begun: ReturnType<typeof begin>) => unknown, ...string[]][] = [
  ['6 s of silence', ({ clock }) => clock.advance(6000), 'reading', 'paused', 'reading', 'from 0'],
  ['a long sleep', ({ clock }) => (clock.aheadMs += 6001), 'reading', 'paused', 'from 1', 'from 0'],
  ['a set clock', ({ clock }) => (clock.aheadMs -= 6001), 'reading', 'paused', 'from 1', 'from 0'],
  ['a shutdown', ({ server }) => server.socket.fail(4001), 'from 1', 'paused', 'from 1', 'from 0'],
  ['a plain request', ({ lose }) => lose(503, 2200), 'asks', 'paused', 'asks', 'asks'],
  ['the answer 401', ({ lose }) => lose(401, 3000), 'asks', 'paused', 'waiting', 'asks'],
  ['a pause', ({ reading }) => reading.pause(), 'from 1', 'paused', 'paused', 'from 0'],
  ['the end', ({ server }) => server.socket.fail(1000), 'ended', 'ended', 'ended', 'from 0'],
];
for (const [what, happen, ...outcomes] of OUTCOMES) {
  for (const [i, act] of ACTS.entries()) {
    test(`${act}() after ${what}: ${outcomes[i]}`, async (t) => {
      const begun = begin(t);
      const { calls, server, shown, reading, pass } = begun;
      server.socket.send('1');
      await happen(begun);
      const { socket } = server;
      calls.length = 0;
      reading[act]();
      if (reading.state.name === 'paused') await pass(20_000);
      assert.equal(calls.join() || reading.state.name, outcomes[i]);
      assert.equal(socket.closed, reading.state.name !== 'reading');
      assert.deepEqual(shown, act === 'restart' ? [] : ['1: 1']);
    });
  }
}

test(`50 readings show one run, whole and in order, whatever happens; SEED=${SEED}`, async (t) => {
  const random = createRandom(SEED);
  const below = (n: number) => Math.floor(random() * n);
  for (let i = 0; i < 50; i += 1) {
    t.mock.restoreAll();
    const { clock, server, shown, reading, pass } = begin(t, { random });
    const ways = ['open', 'open', 'silent', 0, 302, 401, 404, 426, 503] as const;
    const change = () => (server.way = ways[below(ways.length)]);
    const acts = [change, change, change,
      () => (server.run.earliest += below(1 + server.run.messages.length - server.run.earliest)),
      () => (server.run = { epoch: `${random()}`, earliest: 0, messages: [] }),
      () => (clock.aheadMs += below(60_000)), // It sleeps.
      () => reading.pause(), () => reading.resume(), () => reading.reconnectNow(),
    ];
    for (let act = 0; act < 60; act += 1) {
      server.run.messages.push(`${random()}`, `${random()}`);
      acts[below(acts.length)]?.();
      await pass(below(20_000));
    }
    server.way = 'open';
    reading.resume();
    await pass(400_000);
    const { earliest, messages } = server.run;
    const all = messages.map((message, k) => `${k + 1}: ${message}`);
    assert.deepEqual(shown, all.filter((text, k) => k >= earliest || shown.includes(text)));
  }
});
