import './support/bounds.js';
import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
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
  copyFileSync(join(ROOT, 'public', 'reading.js'), join(__dirname, 'reading.mjs'));
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
  const server = { way: undefined as Way | undefined, run };
  let socket = new FakeSocket();
  const last = () => socket;
  const calls: string[] = []; // 'from N' for each WebSocket, 'asks' for each plain request.
  const shown: string[] = []; // What is on the page.
  const arrive = (act: () => void): void => {
    setTimeout(() => (server.way === 'silent' ? arrive(act) : act()), random() * 300);
  };
  const serve = (to: FakeSocket, from: number, epoch = server.run.epoch) => {
    const { run } = server;
    let next = epoch === run.epoch ? Math.max(from, run.earliest) : run.earliest;
    let greeting = [hello(run.epoch, next)];
    const send = () => {
      if (to.closed) return;
      if (server.way !== 'open' || server.run !== run || next < run.earliest) return to.fail();
      to.send(...greeting, run.messages[next] ?? SIGN_OF_LIFE);
      greeting = [];
      next = Math.min(next + 1, run.messages.length);
      setTimeout(() => arrive(send), 2000);
    };
    arrive(() => arrive(send)); // Two round trips.
  };
  const reading = new Reading({
    total,
    connect(from, epoch) {
      calls.push(`from ${from}`);
      socket = new FakeSocket();
      if (server.way !== undefined) serve(socket, from, epoch);
      return socket;
    },
    async ask() {
      calls.push('asks');
      await new Promise<void>(arrive);
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
    clock.nowMs = endMs;
  };
  const lose = (way: Way, ms: number) => {
    server.way = way;
    socket.fail();
    return pass(ms);
  };
  reading.resume();
  return { clock, server, last, calls, shown, reading, pass, lose };
}

test('a reading ends with its last message, and closes by itself', (t) => {
  const { reading, last } = begin(t, { total: 2 });
  assert.equal(reading.state.name, 'connecting');
  last().send('', '');
  assert.deepEqual([reading.state, last().closed], [{ name: 'ended' }, true]);
});

test('a stream that ends early is tried three times more, then it has ended', (t) => {
  const { clock, reading, last } = begin(t);
  for (const messages of [[hello('a', 0, 46), '1'], [], [], ['2'], [], []]) {
    last().send(...messages);
    last().fail(1000);
    assert.equal(reading.state.name, 'waiting');
    clock.advance(4000);
  }
  last().send(SIGN_OF_LIFE);
  last().fail(1000);
  assert.deepEqual(reading.state, { name: 'ended', isEarly: true });
});

test('a reading goes where hello says, and clears what it has of another epoch', (t) => {
  const { shown, reading, last } = begin(t, { total: 46 });
  last().send('one', hello('a', 4, 46), 'five', hello('a', 5), 'six');
  assert.deepEqual([shown, reading.total], [['1: one', '5: five', '6: six'], Infinity]);
  last().send(hello('b', 1, 3), 'two', hello('b', 3, 3));
  last().fail(1000);
  assert.deepEqual([shown, reading.total, reading.state], [['2: two'], 3, { name: 'ended' }]);
});

test('a connection without a message or a sign of life for 12 s is lost', (t) => {
  const { clock, reading, calls, last } = begin(t);
  const first = last();
  for (const messages of [[], [''], [SIGN_OF_LIFE]]) {
    clock.advance(11_999);
    first.send(...messages);
  }
  clock.nowMs += 14_000; // It was busy: a timer comes first, then what has arrived.
  clock.next();
  first.send('');
  clock.advance(11_999);
  assert.deepEqual([first.closed, reading.heard], [false, 2]);
  clock.advance(502);
  first.send('late');
  first.fail(1000);
  clock.advance(13_001); // The next one does not open.
  assert.deepEqual([...calls, reading.heard], ['from 0', 'from 2', 'asks', 2]);
});

test('random waits double from 0.5 s to 15 s; after 5 minutes all are a minute', (t) => {
  const { clock, reading, last } = begin(t, { random: () => 0.9 });
  const waits = [450, 900, 1800, 3600, 7200, ...Array(22).fill(13_500), 60_000, 60_000];
  const resets = [() => last().send(''), () => last().send(SIGN_OF_LIFE), () => reading.restart()];
  for (const reset of resets) {
    reset();
    for (const waitMs of waits) {
      last().send(hello('a', reading.heard)); // To open is no reset.
      last().fail();
      clock.advance(waitMs - 1);
      assert.equal(reading.state.seconds, 1);
      clock.advance(1);
      assert.equal(reading.state.seconds, 0);
    }
  }
});

test('after the close code 4008 a reading waits for a minute, and counts down', (t) => {
  const { clock, reading, last } = begin(t);
  last().send();
  last().fail(4008);
  for (let seconds = 60; seconds >= 0; seconds -= 1) {
    assert.deepEqual(reading.state, { name: 'waiting', seconds, status: 4008 });
    clock.advance(1000);
  }
});

for (const [does, ways, ...next] of [
  ['asks again', [0, 300, 399, 500], 'asks', 'asks'],
  ['connects', [299, 400, 499], 'from 0', 'asks'],
  ['waits for resume()', [401]],
] as const) {
  for (const way of ways) {
    test(`after a failed handshake and the answer ${way} a reading ${does}`, async (t) => {
      const { calls, server, reading, last, pass, lose } = begin(t);
      await lose(way, 600_000);
      assert.deepEqual(calls.slice(0, 4), ['from 0', 'asks', ...next]);
      assert.equal(reading.state.status, way);
      server.way = 'open';
      reading.resume();
      await pass(2000);
      last().fail();
      assert.deepEqual(reading.state, { name: 'waiting', seconds: 1, status: undefined });
    });
  }
}

for (const [answer, does, what] of [
  [503, 'ends', 'an attempt'], [426, 'keeps', 'an attempt'], [503, 'keeps', 'a connection'],
] as const) {
  test(`an answer ${answer} after more than 3 s ${does} ${what}`, async (t) => {
    const { calls, server, last, pass, lose } = begin(t);
    await lose('silent', 3499);
    assert.deepEqual(calls, ['from 0', 'asks']);
    await pass(1); // 3 s after it asked, it connects.
    await lose('silent', 2000);
    assert.deepEqual(calls, ['from 0', 'asks', 'from 0', 'from 0']);
    if (what === 'a connection') last().send();
    server.way = answer;
    await pass(300);
    assert.deepEqual([last().closed, calls.length], [does === 'ends', 4]);
  });
}

const ACTS = ['resume', 'pause', 'reconnectNow', 'restart'] as const;
/** What a reading does at each of ACTS after something has happened. */
const OUTCOMES: [string, (begun: ReturnType<typeof begin>) => unknown, ...string[]][] = [
  ['6 s of silence', ({ clock }) => clock.advance(6000), 'reading', 'paused', 'reading', 'from 0'],
  ['a long sleep', ({ clock }) => (clock.aheadMs += 6001), 'reading', 'paused', 'from 1', 'from 0'],
  ['a set clock', ({ clock }) => (clock.aheadMs -= 6001), 'reading', 'paused', 'from 1', 'from 0'],
  ['a shutdown', ({ last }) => last().fail(4001), 'from 1', 'paused', 'from 1', 'from 0'],
  ['a plain request', ({ lose }) => lose(503, 2200), 'asks', 'paused', 'asks', 'asks'],
  ['the answer 401', ({ lose }) => lose(401, 3000), 'asks', 'paused', 'waiting', 'asks'],
  ['a pause', ({ reading }) => reading.pause(), 'from 1', 'paused', 'paused', 'from 0'],
  ['the end', ({ last }) => last().fail(1000), 'ended', 'ended', 'ended', 'from 0'],
];
for (const [what, happen, ...outcomes] of OUTCOMES) {
  for (const [i, act] of ACTS.entries()) {
    test(`${act}() after ${what}: ${outcomes[i]}`, async (t) => {
      const begun = begin(t);
      const { calls, shown, reading, last, pass } = begun;
      last().send('1');
      await happen(begun);
      const old = last();
      calls.length = 0;
      reading[act]();
      if (reading.state.name === 'paused') await pass(20_000);
      assert.equal(calls.join() || reading.state.name, outcomes[i]);
      assert.equal(old.closed, reading.state.name !== 'reading');
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
    const post = () => server.run.messages.push(`${random()}`, `${random()}`);
    const acts = [change, change, change, post, post, post,
      () => (server.run.earliest += below(1 + server.run.messages.length - server.run.earliest)),
      () => (server.run = { epoch: `${random()}`, earliest: 0, messages: [] }),
      () => reading.pause(), () => reading.resume(), () => {
        clock.aheadMs += below(60_000); // It sleeps, and wakes up.
        reading.reconnectNow();
      },
    ];
    for (let act = 0; act < 60; act += 1) {
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
