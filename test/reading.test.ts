import './support/bounds.js';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { before, test, type TestContext } from 'node:test';
import { setImmediate as settle } from 'node:timers/promises';
import { FakeClock } from './support/clock.js';
import { FakeSocket, loadReading, type Options, type State } from './support/reading.js';

const STANZAS = Array.from({ length: 46 }, (_, i) => `stanza ${i + 1}`);

let Reading: Awaited<ReturnType<typeof loadReading>>;
before(async () => void (Reading = await loadReading()));

/** Starts a reading on a fake clock and fake sockets; `random` 1 makes each wait the longest. */
function begin(t: TestContext, options: Partial<Options> = {}, random = 1) {
  const clock = new FakeClock(t);
  t.mock.method(Math, 'random', () => random);
  const sockets: FakeSocket[] = [];
  const states: State[] = [];
  const heard: string[] = [];
  const last = () => sockets.at(-1) ?? assert.fail('no connection yet');
  const reading = new Reading({
    total: STANZAS.length,
    connect: (from) => (sockets.push(new FakeSocket(from)), last()),
    probe: async () => 0,
    onMessage: (message) => heard.push(message),
    onState: (state) => states.push(state),
    ...options,
  });
  /** Lets a wait pass; returns its milliseconds. */
  const reconnect = () => {
    const { nowMs } = clock;
    while (reading.state.name === 'waiting') assert.ok(clock.next());
    return clock.nowMs - nowMs;
  };
  /** Attempts that fail, before the connection is open if it is new; returns the waits. */
  const attempt = async (count: number) => {
    const waits: number[] = [];
    for (let i = 0; i < count; i += 1) {
      last().fail();
      await settle(); // The probe is answered.
      waits.push(reconnect());
    }
    return waits;
  };
  const froms = () => sockets.map(({ from }) => from);
  reading.resume();
  return { clock, sockets, states, heard, last, reading, reconnect, attempt, froms };
}

test('the last message ends a reading and leaves no timer', (t) => {
  const { clock, sockets, heard, reading, last } = begin(t);
  last().send(...STANZAS);
  assert.deepEqual([heard, last().closed, clock.timers.length], [STANZAS, true, 0]);
  last().fail(1000);
  reading.resume();
  reading.pause();
  reading.reconnectNow();
  assert.deepEqual([reading.state.name, sockets.length], ['ended', 1]);
});

for (const [code, messages, total, name] of [
  [1000, undefined, 46, 'waiting'],
  [1000, [], 46, 'ended'],
  [1000, [''], 46, 'ended'],
  [1000, ['1', ''], 46, 'waiting'],
  [4001, [], 46, 'waiting'],
  [1000, ['1'], Infinity, 'ended'],
  [1006, [...STANZAS, '47'], Infinity, 'waiting'],
] as const) {
  const sent = messages ? `${messages.length} of ${total} messages` : 'no handshake';
  test(`a reading is ${name} after ${sent} and close code ${code}`, (t) => {
    const { reading, last, reconnect, froms } = begin(t, { total });
    if (messages) last().send(...messages);
    last().fail(code);
    assert.equal(reading.state.name, name);
    reconnect();
    assert.deepEqual(froms(), name === 'ended' ? [0] : [0, messages?.filter(Boolean).length ?? 0]);
  });
}

for (const [what, message] of [['a message', '1'], ['an empty message', '']] as const) {
  test(`waits double from 0.5 s to 15 s, until ${what} ends "connecting"`, async (t) => {
    const { heard, reading, last, attempt } = begin(t);
    const waits = [500, 1000, 2000, 4000, 8000, 15_000, 15_000];
    assert.deepEqual(await attempt(7), waits);
    last().send();
    assert.equal(reading.state.name, 'connecting');
    last().send(message);
    assert.deepEqual([reading.state.name, heard], ['reading', message ? ['1'] : []]);
    assert.deepEqual(await attempt(7), waits);
  });

  test(`a connection is lost for good 12 s after it opened, or after ${what}`, (t) => {
    const { clock, sockets, heard, reading, last, reconnect } = begin(t);
    for (const messages of [[], [message]]) {
      clock.advance(11_999);
      last().send(...messages);
    }
    clock.advance(11_999);
    assert.deepEqual(sockets.map(({ closed }) => closed), [false]);
    clock.advance(1);
    assert.deepEqual([last().closed, reconnect()], [true, 500]);
    last().send('2');
    sockets[0]?.send('late');
    sockets[0]?.fail(1000);
    assert.deepEqual([heard.at(-1), reading.state.name], ['2', 'reading']);
  });

  test(`refusals before ${what} do not count`, async (t) => {
    const { reading, last, attempt } = begin(t, { probe: async () => 404 });
    await attempt(2);
    last().send(message);
    await attempt(3); // The first of these was open.
    assert.equal(reading.state.name, 'connecting');
  });
}

test('a wait is random, and counts its seconds down', async (t) => {
  const { clock, states, last, attempt } = begin(t, {}, 0.9);
  assert.deepEqual(await attempt(3), [450, 900, 1800]);
  last().fail();
  clock.advance(3600);
  const waiting = [4, 3, 2, 1].map((seconds) => ({ name: 'waiting', seconds }));
  assert.deepEqual(states.slice(-5), [...waiting, { name: 'connecting' }]);
});

test('a machine that slept reconnects within 0.5 s, and at once if it was waiting', (t) => {
  const { clock, last, reconnect } = begin(t);
  clock.nowMs += 3600_000;
  clock.next();
  assert.equal(reconnect(), 500);
  last().fail();
  clock.nowMs += 3600_000;
  assert.equal(reconnect(), 0);
});

test('reconnectNow() ends a wait, and does nothing in another state', (t) => {
  const { clock, reading, last, froms } = begin(t);
  const acts = [() => last().send('1'), () => last().fail(), () => {}, () => reading.pause()];
  for (const act of acts) {
    act();
    reading.reconnectNow();
  }
  clock.advance(1000);
  assert.deepEqual([reading.state.name, froms()], ['paused', [0, 1]]);
});

for (const act of ['send', 'fail'] as const) {
  test(`pause() after a ${act} stops everything, resume() continues`, async (t) => {
    const { clock, reading, last, attempt, froms } = begin(t);
    last().send('1', '2');
    if (act === 'fail') last().fail();
    for (let i = 0; i < 2; i += 1) reading.pause();
    assert.deepEqual([reading.state.name, last().closed, clock.timers.length], ['paused', true, 0]);
    for (let i = 0; i < 2; i += 1) reading.resume();
    assert.deepEqual(froms(), [0, 2]);
    assert.deepEqual(await attempt(1), [500]);
  });
}

test('a reading that its own listener pauses stays paused', (t) => {
  const own: ReturnType<typeof begin> = begin(t, { onMessage: () => own.reading.pause() });
  own.last().send('1');
  assert.deepEqual([own.reading.state.name, own.clock.timers.length], ['paused', 0]);
});

test('restart() begins with the first message, from any state', (t) => {
  const { reading, sockets, last, froms } = begin(t);
  last().send(...STANZAS);
  for (let i = 0; i < 2; i += 1) reading.restart();
  assert.deepEqual(sockets.map(({ closed }) => closed), [true, true, false]);
  last().send('1');
  last().fail();
  reading.restart();
  last().send('1');
  assert.deepEqual([froms(), reading.heard], [[0, 0, 0, 0], 1]);
});

for (const [name, ...statuses] of [
  ['refused', 400, 403, 426, 499],
  ['connecting', 0, 200, 399, 408, 425, 429, 503, 504],
] as const) {
  for (const status of statuses) {
    test(`a reading is ${name} after responses of 404, 404, ${status}, 404, 404`, async (t) => {
      const answers = [404, 404, status, 404, 404].values();
      const probe = async () => Number(answers.next().value);
      const { clock, reading, attempt } = begin(t, { probe });
      await attempt(5);
      assert.equal(reading.state.name, name);
      assert.equal(clock.timers.length, name === 'refused' ? 0 : 1);
    });
  }
}

for (const again of ['resume', 'reconnectNow', 'restart'] as const) {
  test(`${again}() ends a refusal, and counts refusals anew`, async (t) => {
    const { reading, attempt } = begin(t, { probe: async () => 404 });
    await attempt(3);
    assert.equal(reading.state.name, 'refused');
    reading[again]();
    await attempt(2);
    assert.equal(reading.state.name, 'connecting');
  });
}

test('neither a connection that was open nor a failed probe is a refusal', async (t) => {
  const probe = t.mock.fn(() => Promise.reject(new Error('no network')));
  const { reading, last, attempt } = begin(t, { probe });
  last().send();
  await attempt(5);
  assert.deepEqual([reading.state.name, probe.mock.callCount()], ['connecting', 4]);
});

test('the next attempt, even at once, abandons a probe', async (t) => {
  const signals: AbortSignal[] = [];
  const probe = async (signal: AbortSignal) => {
    signals.push(signal);
    await once(signal, 'abort');
    return 404;
  };
  const { reading, last, attempt } = begin(t, { probe }, 0);
  await attempt(4);
  last().send('1');
  assert.deepEqual(signals.map(({ aborted }) => aborted), [true, true, true, true]);
  assert.equal(reading.state.name, 'reading');
});
