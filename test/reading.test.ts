import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { FakeClock } from './support/clock.js';
import { loadReading, type Reading, type Socket, type State } from './support/reading.js';

const TOTAL = 46;

class FakeSocket implements Socket {
  onopen: Socket['onopen'] = null;
  onmessage: Socket['onmessage'] = null;
  onclose: Socket['onclose'] = null;
  closed = false;

  constructor(readonly from: number) {}

  close(): void {
    this.closed = true;
  }

  /** As the server does: opens, then tells this many stanzas, the first at once. */
  tell(count = 1): void {
    this.onopen?.(new Event('open'));
    for (let i = 0; i < count; i += 1) this.onmessage?.(new MessageEvent('message', { data: '…' }));
  }

  fail(code = 1006): void {
    this.onclose?.({ code } as CloseEvent); // Node has none before 23; the code is all that is read.
  }
}

describe('reading', { timeout: 60_000 }, () => {
  let Class: Awaited<ReturnType<typeof loadReading>>;
  before(async () => void (Class = await loadReading()));

  /** A reading on a clock that stands still; `random` 1 means the longest waits. */
  const setUp = ({ random = 1, probe = 0, total = TOTAL } = {}) => {
    const clock = new FakeClock();
    const sockets: FakeSocket[] = [];
    const states: State[] = [];
    const told: string[] = [];
    const server = { probe, probes: 0 };
    const reading: Reading = new Class({
      total,
      connect: (from) => {
        const socket = new FakeSocket(from);
        sockets.push(socket);
        return socket;
      },
      probe: async () => {
        server.probes += 1;
        return server.probe;
      },
      onMessage: (message) => told.push(message),
      onState: (state) => states.push(state),
      now: () => clock.nowMs,
      random: () => random,
      setTimer: clock.setTimer,
      clearTimer: clock.clearTimer,
    });
    const last = (): FakeSocket => {
      const socket = sockets.at(-1);
      assert.ok(socket, 'it has connected');
      return socket;
    };
    /** Lets the wait pass, and returns how long it was (ms). */
    const reconnect = (): number => {
      const { nowMs } = clock;
      const count = sockets.length;
      while (sockets.length === count) clock.advance(1);
      return clock.nowMs - nowMs;
    };
    reading.resume();
    return { clock, sockets, states, told, server, reading, last, reconnect };
  };

  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  test('it connects at once, from the beginning, and passes on what is told', () => {
    const { sockets, told, reading, last, states } = setUp();
    assert.equal(last().from, 0);
    assert.deepEqual(states, [{ name: 'connecting' }]);
    last().tell(3);
    assert.equal(told.length, 3);
    assert.equal(reading.heard, 3);
    assert.deepEqual(reading.state, { name: 'reading' });
    assert.equal(sockets.length, 1);
  });

  test('the last stanza is the end, whether or not the connection has closed, and nothing runs any more', () => {
    const { clock, sockets, reading, last, states } = setUp();
    last().tell(TOTAL);
    assert.deepEqual(states.at(-1), { name: 'ended' });
    assert.equal(last().closed, true, 'it closes by itself');
    last().fail(1000);
    assert.deepEqual(reading.state, { name: 'ended' });
    assert.equal(clock.timers.size, 0);
    reading.resume();
    reading.pause();
    reading.reconnectNow();
    assert.deepEqual(reading.state, { name: 'ended' });
    assert.equal(sockets.length, 1);
  });

  test('a stream without end goes on after any number of messages, comes back, and ends with 1000', () => {
    const { clock, sockets, reading, last } = setUp({ total: Infinity });
    last().tell(TOTAL);
    assert.deepEqual(reading.state, { name: 'reading' });
    last().tell(TOTAL);
    for (const code of [1006, 4001]) {
      last().fail(code);
      clock.advance(500);
      last().tell(1);
    }
    assert.deepEqual(sockets.map(({ from }) => from), [0, 92, 93]);
    last().fail(1000);
    assert.deepEqual(reading.state, { name: 'ended' });
    reading.restart();
    assert.equal(last().from, 0);
  });

  for (const code of [1000, 1001, 1006, 1011, 4001]) {
    test(`a connection that ends early with ${code} is opened again after what was heard`, () => {
      const { clock, sockets, told, last } = setUp();
      last().tell(5);
      last().fail(code);
      clock.advance(500);
      assert.deepEqual(sockets.map(({ from }) => from), [0, 5]);
      last().tell(TOTAL - 5);
      assert.equal(told.length, TOTAL);
    });
  }

  test('1000 without a message means that there is nothing left, however many the page expects', () => {
    const { clock, reading, last } = setUp();
    last().tell(5);
    last().fail(1000);
    clock.advance(500);
    last().tell(0);
    last().fail(1000);
    assert.deepEqual(reading.state, { name: 'ended' });
  });

  test('the wait doubles from 0.5 s up to 15 s, and is short again after a stanza', () => {
    const { last, reconnect } = setUp();
    const waits = (): number[] =>
      Array.from({ length: 8 }, () => {
        last().fail();
        return reconnect();
      });
    const scale = [500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000];
    assert.deepEqual(waits(), scale);
    last().tell();
    assert.deepEqual(waits(), scale);
  });

  test('the wait is anything between nothing and that, so that pages do not return in one wave', () => {
    for (const [random, expected] of [[0, 0], [0.25, 125], [0.5, 250], [0.999, 500]] as const) {
      const { last, sockets, reconnect } = setUp({ random });
      last().fail();
      const waited = sockets.length === 1 ? reconnect() : 0;
      assert.ok(Math.abs(waited - expected) <= 1);
    }
  });

  test('while it waits it counts the seconds down', () => {
    const { clock, states, last, reconnect } = setUp();
    for (let i = 0; i < 3; i += 1) {
      last().fail();
      reconnect();
    }
    states.length = 0;
    last().fail();
    clock.advance(4000);
    assert.deepEqual(states, [
      { name: 'waiting', seconds: 4 },
      { name: 'waiting', seconds: 3 },
      { name: 'waiting', seconds: 2 },
      { name: 'waiting', seconds: 1 },
      { name: 'connecting' },
    ]);
  });

  test('told to reconnect while it waits, it connects at once; else that does nothing', () => {
    const { clock, sockets, last, reading } = setUp();
    reading.reconnectNow();
    last().tell(2);
    reading.reconnectNow();
    assert.equal(sockets.length, 1);
    last().fail();
    reading.reconnectNow();
    reading.reconnectNow();
    assert.deepEqual(sockets.map(({ from }) => from), [0, 2]);
    clock.advance(1000);
    assert.equal(sockets.length, 2, 'the wait that was cut short does not end a second time');
  });

  test('a connection that says nothing for 8 s is given up, also in the handshake', () => {
    const { clock, sockets, last } = setUp();
    clock.advance(7999);
    assert.equal(sockets[0]?.closed, false);
    clock.advance(1);
    assert.equal(sockets[0]?.closed, true);
    clock.advance(500);
    assert.equal(sockets.length, 2);
    for (let i = 0; i < 5; i += 1) {
      last().tell();
      clock.advance(2000);
    }
    clock.advance(5999);
    assert.equal(last().closed, false);
    clock.advance(1);
    assert.equal(last().closed, true);
  });

  test('with a slow pace it is given up after four intervals', () => {
    const { clock, last } = setUp();
    for (let i = 0; i < 4; i += 1) {
      if (i) clock.advance(5000);
      last().tell();
    }
    clock.advance(19_999);
    assert.equal(last().closed, false);
    clock.advance(1);
    assert.equal(last().closed, true);
  });

  test('a burst after a stall does not make the pace look quick', () => {
    const { clock, last } = setUp();
    last().tell();
    clock.advance(5000);
    last().tell();
    clock.advance(15_000);
    last().tell(3);
    clock.advance(19_999);
    assert.equal(last().closed, false);
  });

  test('a minute between stanzas is learned, and none is lost or told twice on the way', () => {
    const { clock, sockets, told, reading } = setUp({ random: 0 });
    // Each connection tells one stanza at once and the next a minute later.
    let at = 0;
    const next = new Map<FakeSocket, number>();
    for (; reading.state.name !== 'ended' && at < 3600_000; at += 1000) {
      const socket = sockets.at(-1);
      if (socket && !socket.closed && at >= (next.get(socket) ?? 0)) {
        socket.tell();
        next.set(socket, at + 60_000);
        if (reading.heard === TOTAL) socket.fail(1000);
      }
      clock.advance(1000);
    }
    assert.equal(told.length, TOTAL);
    assert.ok(sockets.length < 6, `${sockets.length} connections`);
  });

  test('what an abandoned socket still says is ignored', () => {
    const { clock, sockets, told, reading, last } = setUp();
    last().tell(2);
    clock.advance(8000 + 500);
    last().tell(1);
    sockets[0]?.tell(1);
    sockets[0]?.fail(1000);
    assert.equal(told.length, 3);
    assert.deepEqual(reading.state, { name: 'reading' });
    assert.equal(sockets.length, 2);
  });

  test('pause closes the connection, resume goes on; both twice in a row are as once', () => {
    const { clock, sockets, told, reading, last } = setUp();
    last().tell(2);
    reading.pause();
    reading.pause();
    assert.deepEqual(reading.state, { name: 'paused' });
    assert.equal(sockets[0]?.closed, true);
    sockets[0]?.tell();
    sockets[0]?.fail();
    clock.advance(100_000);
    assert.equal(told.length, 2);
    assert.equal(sockets.length, 1);
    reading.resume();
    reading.resume();
    assert.deepEqual(sockets.map(({ from }) => from), [0, 2]);
  });

  test('paused during an outage it tries no more, until it is resumed', () => {
    const { clock, sockets, reading, last } = setUp();
    last().tell(2);
    last().fail();
    reading.pause();
    clock.advance(100_000);
    assert.equal(sockets.length, 1);
    reading.resume();
    assert.equal(last().from, 2);
  });

  test('restart begins with the first stanza, at once, also twice and during an outage', () => {
    const { clock, sockets, reading, last } = setUp();
    last().tell(TOTAL);
    reading.restart();
    reading.restart();
    assert.deepEqual(sockets.map(({ from }) => from), [0, 0, 0]);
    assert.deepEqual(sockets.slice(1).map(({ closed }) => closed), [true, false]);
    last().fail();
    reading.restart();
    assert.equal(sockets.length, 4);
    last().tell(1);
    clock.advance(400);
    assert.equal(sockets.length, 4);
    assert.equal(reading.heard, 1);
  });

  for (const again of ['resume', 'reconnectNow'] as const) test(`a server that is there and refuses is believed after three tries; ${again} tries again`, async () => {
    const { clock, sockets, reading, server, last, reconnect } = setUp({ probe: 404 });
    for (let i = 0; i < 3; i += 1) {
      assert.notEqual(reading.state.name, 'refused');
      last().fail();
      await settle();
      if (i < 2) reconnect();
    }
    assert.deepEqual(reading.state, { name: 'refused' });
    clock.advance(100_000);
    assert.equal(sockets.length, 3);
    assert.equal(clock.timers.size, 0);
    server.probe = 426;
    reading[again]();
    assert.deepEqual(reading.state, { name: 'connecting' });
    last().tell();
    assert.deepEqual(reading.state, { name: 'reading' });
  });

  for (const probe of [0, 200, 500, 502, 503]) {
    test(`a server that answers ${probe || 'nothing'} is tried again without end`, async () => {
      const { reading, last, reconnect } = setUp({ probe });
      for (let i = 0; i < 20; i += 1) {
        last().fail();
        await settle();
        reconnect();
      }
      assert.deepEqual(reading.state, { name: 'connecting' });
    });
  }

  test('refusals are counted in a row: a restart in between begins anew', async () => {
    const { reading, server, last, reconnect } = setUp({ probe: 426 });
    for (let i = 0; i < 10; i += 1) {
      server.probe = i % 3 === 2 ? 0 : 426;
      last().fail();
      await settle();
      reconnect();
    }
    assert.deepEqual(reading.state, { name: 'connecting' });
  });

  test('an answer that comes after the connection does not end it', async () => {
    const { reading, last, reconnect } = setUp({ probe: 403 });
    for (let i = 0; i < 3; i += 1) {
      last().fail();
      reconnect();
    }
    last().tell();
    await settle();
    assert.deepEqual(reading.state, { name: 'reading' });
  });

  test('a connection that was open is not a refusal', async () => {
    const { reading, server, last, reconnect } = setUp({ probe: 403 });
    for (let i = 0; i < 5; i += 1) {
      last().tell(0);
      last().fail();
      await settle();
      reconnect();
    }
    assert.equal(server.probes, 0);
    assert.deepEqual(reading.state, { name: 'connecting' });
  });
});
