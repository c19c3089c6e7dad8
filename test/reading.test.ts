import assert from 'node:assert/strict';
import { before, describe, test, type TestContext } from 'node:test';
import './support/bounds.js';
import { FakeClock } from './support/clock.js';
import { loadReading, type Socket, type State } from './support/reading.js';

const TOTAL = 46;
const STANZAS = Array.from({ length: TOTAL }, (_, i) => `stanza ${i + 1}`);

class FakeSocket implements Socket {
  onopen: Socket['onopen'] = null;
  onmessage: Socket['onmessage'] = null;
  onclose: Socket['onclose'] = null;
  opened = false;
  closed = false;

  constructor(readonly from: number) {}

  close(): void {
    this.closed = true;
  }

  /** Opens if it has not, then sends these messages. */
  send(...messages: string[]): void {
    if (!this.opened) this.onopen?.(new Event('open'));
    this.opened = true;
    for (const data of messages) this.onmessage?.(new MessageEvent('message', { data }));
  }

  fail(code = 1006): void {
    this.onclose?.({ code } as CloseEvent); // Node has none before 23; only the code is read.
  }
}

/** Until a probe that was answered has been heard. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('reading', { timeout: 60_000 }, () => {
  let Reading: Awaited<ReturnType<typeof loadReading>>;
  before(async () => void (Reading = await loadReading()));

  /** A reading on a fake clock; `random` 1 makes each wait the longest. */
  const setUp = (t: TestContext, {
    random = 1,
    total = TOTAL,
    probe = async (_signal: AbortSignal): Promise<number> => 0,
    onMessage = (): void => {},
  } = {}) => {
    const clock = new FakeClock().install(t);
    t.mock.method(Math, 'random', () => random);
    const sockets: FakeSocket[] = [];
    const states: State[] = [];
    const heard: string[] = [];
    const last = (): FakeSocket => sockets.at(-1) ?? assert.fail('no connection yet');
    const reading = new Reading({
      total,
      connect: (from) => (sockets.push(new FakeSocket(from)), last()),
      probe,
      onMessage: (message) => (heard.push(message), onMessage()),
      onState: (state) => states.push(state),
    });
    /** Lets the wait pass; returns its milliseconds. */
    const reconnect = (): number => {
      const { nowMs } = clock;
      for (const { length } = sockets; sockets.length === length; ) assert.ok(clock.next());
      return clock.nowMs - nowMs;
    };
    /** Attempts that fail before the connection is open; returns the wait after each. */
    const attempt = async (count: number): Promise<number[]> => {
      const waits: number[] = [];
      while (waits.length < count) {
        last().fail();
        await settle();
        waits.push(reading.state.name === 'waiting' ? reconnect() : 0);
      }
      return waits;
    };
    const froms = (): number[] => sockets.map(({ from }) => from);
    reading.resume();
    return { clock, sockets, states, heard, last, reading, reconnect, attempt, froms };
  };

  test('the last message ends a reading and leaves no timer', (t) => {
    const { clock, sockets, states, heard, reading, last } = setUp(t);
    assert.deepEqual(states, [{ name: 'connecting' }]);
    last().send(...STANZAS);
    assert.deepEqual(heard, STANZAS);
    assert.deepEqual([reading.heard, last().closed, clock.timers.size], [TOTAL, true, 0]);
    last().fail(1000);
    reading.resume();
    reading.pause();
    reading.reconnectNow();
    assert.deepEqual([reading.state.name, sockets.length], ['ended', 1]);
  });

  for (const [code, messages, total, name] of [
    [1000, ['1'], TOTAL, 'waiting'],
    [1000, ['1', ''], TOTAL, 'waiting'],
    [1000, [], TOTAL, 'ended'],
    [1000, [''], TOTAL, 'ended'],
    [1006, ['1'], TOTAL, 'waiting'],
    [4001, [], TOTAL, 'waiting'],
    [1000, ['1'], Infinity, 'ended'],
    [1000, [''], Infinity, 'ended'],
    [1006, [...STANZAS, '47'], Infinity, 'waiting'],
    [4001, [''], Infinity, 'waiting'],
  ] as const) {
    const sent = messages.length > 2 ? messages.length : JSON.stringify(messages);
    test(`a reading is ${name} after ${sent} of ${total} and close code ${code}`, (t) => {
      const { reading, last, reconnect, froms } = setUp(t, { total });
      last().send(...messages);
      last().fail(code);
      assert.equal(reading.state.name, name);
      if (name === 'ended') return;
      reconnect();
      assert.deepEqual(froms(), [0, messages.filter(Boolean).length]);
    });
  }

  test('close code 1000 before the connection is open does not end a reading', (t) => {
    const { reading, last } = setUp(t);
    last().fail(1000);
    assert.equal(reading.state.name, 'waiting');
  });

  for (const message of ['1', '']) {
    const what = message ? 'a message' : 'an empty message';
    test(`${what} is ${message ? 'counted' : 'not counted'}, and ends "connecting"`, (t) => {
      const { heard, reading, last } = setUp(t);
      last().send();
      assert.equal(reading.state.name, 'connecting');
      last().send(message);
      assert.equal(reading.state.name, 'reading');
      assert.deepEqual([heard, reading.heard], message ? [['1'], 1] : [[], 0]);
    });

    test(`waits double from 0.5 s to 15 s, and are short again after ${what}`, async (t) => {
      const { last, attempt } = setUp(t);
      const waits = [500, 1000, 2000, 4000, 8000, 15_000, 15_000];
      assert.deepEqual(await attempt(7), waits);
      last().send(message);
      assert.deepEqual(await attempt(7), waits);
    });

    test(`a connection is lost 12 s after it opened, or after ${what}`, (t) => {
      const { clock, sockets, last, reconnect } = setUp(t);
      for (const act of [() => last().send(), () => last().send(message)]) {
        clock.advance(11_999);
        act();
      }
      clock.advance(11_999);
      assert.deepEqual(sockets.map(({ closed }) => closed), [false]);
      clock.advance(1);
      assert.deepEqual(sockets.map(({ closed }) => closed), [true]);
      assert.equal(reconnect(), 500);
    });

    test(`refusals before ${what} do not count`, async (t) => {
      const { reading, last, attempt } = setUp(t, { probe: async () => 404 });
      await attempt(2);
      last().send(message);
      await attempt(3); // The first of these was open.
      assert.equal(reading.state.name, 'connecting');
    });
  }

  test('a wait counts its seconds down', async (t) => {
    const { clock, states, last, attempt } = setUp(t, { random: 0.9 });
    await attempt(3);
    states.length = 0;
    last().fail();
    clock.advance(3600);
    const waiting = [4, 3, 2, 1].map((seconds) => ({ name: 'waiting', seconds }));
    assert.deepEqual(states, [...waiting, { name: 'connecting' }]);
  });

  test('after each sleep of the machine, a reading reconnects within 0.5 s', (t) => {
    const { clock, last, reconnect } = setUp(t);
    for (let i = 0; i < 10; i += 1) {
      last().send('…');
      clock.stall(3600_000);
      assert.equal(reconnect(), 500);
    }
  });

  test('reconnectNow() ends a wait, and does nothing in another state', (t) => {
    const { clock, reading, last, froms } = setUp(t);
    reading.reconnectNow();
    last().send('1', '2');
    reading.reconnectNow();
    reading.pause();
    reading.reconnectNow();
    assert.deepEqual(froms(), [0]);
    reading.resume();
    last().fail();
    reading.reconnectNow();
    reading.reconnectNow();
    clock.advance(1000);
    assert.deepEqual(froms(), [0, 2, 2]);
  });

  test('an abandoned connection delivers nothing', (t) => {
    const { clock, sockets, heard, reading, last } = setUp(t);
    last().send('1', '2');
    clock.advance(12_500);
    last().send('3');
    sockets[0]?.send('3');
    sockets[0]?.fail(1000);
    assert.deepEqual([heard, reading.state.name], [['1', '2', '3'], 'reading']);
    assert.equal(sockets.length, 2);
  });

  for (const act of ['send', 'fail'] as const) {
    test(`pause() after a ${act} stops everything, and resume() continues`, async (t) => {
      const { clock, reading, sockets, last, attempt, froms } = setUp(t);
      await attempt(3);
      last().send('1', '2');
      if (act === 'fail') last().fail();
      for (let i = 0; i < 2; i += 1) reading.pause();
      assert.deepEqual([reading.state.name, clock.timers.size], ['paused', 0]);
      assert.equal(last().closed, true);
      for (let i = 0; i < 2; i += 1) reading.resume();
      assert.deepEqual(froms(), [0, 0, 0, 0, 2]);
      await attempt(3);
      reading.pause();
      reading.resume();
      assert.deepEqual(await attempt(1), [500]);
      assert.equal(sockets.length, 10);
    });
  }

  test('a reading that its own listener pauses stays paused', (t) => {
    let pause = (): void => {};
    const { clock, reading, last } = setUp(t, { onMessage: () => pause() });
    pause = () => reading.pause();
    last().send('1');
    assert.deepEqual([reading.state.name, clock.timers.size], ['paused', 0]);
  });

  test('restart() begins with the first message, from any state', (t) => {
    const { reading, heard, sockets, last, froms } = setUp(t);
    last().send(...STANZAS);
    for (let i = 0; i < 2; i += 1) reading.restart();
    assert.deepEqual(sockets.map(({ closed }) => closed), [true, true, false]);
    last().send('1');
    last().fail();
    reading.restart();
    last().send('1');
    assert.deepEqual(froms(), [0, 0, 0, 0]);
    assert.deepEqual([reading.heard, heard.length], [1, TOTAL + 2]);
  });

  for (const [name, statuses] of [
    ['refused', [400, 403, 404, 409, 426, 499]],
    ['connecting', [0, 200, 399, 408, 425, 429, 503, 504]],
  ] as const) {
    for (const status of statuses) test(`${name} after three responses of ${status}`, async (t) => {
      const { clock, reading, attempt } = setUp(t, { probe: async () => status });
      await attempt(2);
      assert.equal(reading.state.name, 'connecting');
      await attempt(1);
      assert.equal(reading.state.name, name);
      assert.equal(clock.timers.size, name === 'refused' ? 0 : 1);
    });
  }

  test('resume() and reconnectNow() end a refusal, and count refusals anew', async (t) => {
    const { reading, attempt } = setUp(t, { probe: async () => 404 });
    for (const again of ['resume', 'reconnectNow'] as const) {
      await attempt(3);
      assert.equal(reading.state.name, 'refused');
      reading[again]();
      await attempt(2);
      assert.equal(reading.state.name, 'connecting');
      reading.restart();
    }
  });

  test('only consecutive refusals count', async (t) => {
    const statuses = [404, 404, 503, 404, 404];
    const { reading, attempt } = setUp(t, { probe: async () => statuses.shift() ?? 0 });
    await attempt(5);
    assert.equal(reading.state.name, 'connecting');
  });

  test('neither a connection that was open nor a failed probe is a refusal', async (t) => {
    let probes = 0;
    const probe = (): Promise<number> => Promise.reject(new Error(`probe ${(probes += 1)}`));
    const { reading, last, attempt } = setUp(t, { probe });
    last().send();
    await attempt(5);
    assert.deepEqual([reading.state.name, probes], ['connecting', 4]);
  });

  for (const random of [0, 1]) {
    const when = random ? 'after a wait' : 'at once';
    test(`the next attempt, ${when}, abandons a probe`, async (t) => {
      const probes: { signal: AbortSignal; resolve: (status: number) => void }[] = [];
      const { reading, last, attempt } = setUp(t, {
        random,
        probe: (signal) => new Promise((resolve) => probes.push({ signal, resolve })),
      });
      await attempt(4);
      last().send('1');
      for (const { resolve } of probes) resolve(404);
      await settle();
      assert.deepEqual(probes.map(({ signal }) => signal.aborted), [true, true, true, true]);
      assert.equal(reading.state.name, 'reading');
    });
  }
});
