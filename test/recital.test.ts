import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, test, type TestContext } from 'node:test';
import type WebSocket from 'faye-websocket';
import { createRecital } from '../dist/recital.js';
import { FakeClock } from './support/clock.js';

/** A socket that remembers what was sent, and can be full. */
class FakeSocket extends EventEmitter {
  readonly sent: [number, string][] = [];
  readonly closes: [number | undefined, string | undefined][] = [];
  full = false;

  constructor(readonly clock: FakeClock) {
    super();
  }

  send(data: string): boolean {
    this.sent.push([this.clock.nowMs - 1000, data]);
    return !this.full;
  }

  close(code?: number, reason?: string): void {
    this.closes.push([code, reason]);
    this.emit('close', { code, reason });
  }

  drain(): void {
    this.full = false;
    this.emit('drain');
  }

  /** As the type that recital.ts takes, of which it uses these parts alone. */
  asSocket(): WebSocket.Socket {
    return this as unknown as WebSocket.Socket;
  }
}

const STANZAS = ['one', 'two', 'three', 'four'];

function setUp(t: TestContext, from = 0) {
  const clock = new FakeClock().install(t);
  const recital = createRecital(STANZAS, 2000);
  const socket = new FakeSocket(clock);
  recital.begin(socket.asSocket(), from);
  return { clock, socket, recital };
}

describe('recital', { timeout: 60_000 }, () => {
  test('nothing is sent or closed before the socket is open', (t) => {
    const { clock, socket } = setUp(t, STANZAS.length);
    clock.advance(10_000);
    assert.deepEqual([socket.sent, socket.closes], [[], []]);
  });

  test('the first stanza leaves at once, then one each interval, and 1000 right after the last', (t) => {
    const { clock, socket } = setUp(t);
    socket.emit('open');
    clock.advance(5999);
    assert.deepEqual(socket.closes, []);
    clock.advance(1);
    assert.deepEqual(socket.sent, [[0, 'one'], [2000, 'two'], [4000, 'three'], [6000, 'four']]);
    assert.deepEqual(socket.closes, [[1000, undefined]]);
    assert.equal(clock.timers.size, 0);
  });

  test('a reader that comes back with from=N hears stanza N+1 first', (t) => {
    const { clock, socket } = setUp(t, 2);
    socket.emit('open');
    clock.advance(2000);
    assert.deepEqual(socket.sent, [[0, 'three'], [2000, 'four']]);
  });

  test('a reader that has heard all is closed with 1000 without a message', (t) => {
    const { clock, socket } = setUp(t, STANZAS.length);
    socket.emit('open');
    assert.deepEqual(socket.sent, []);
    assert.deepEqual(socket.closes, [[1000, undefined]]);
    assert.equal(clock.timers.size, 0);
  });

  test('a reader that does not drain gets nothing until it has, and goes on with its next beat', (t) => {
    const { clock, socket } = setUp(t);
    socket.full = true;
    socket.emit('open');
    clock.advance(7000);
    assert.deepEqual(socket.sent, [[0, 'one']]);
    socket.drain();
    clock.advance(4000);
    assert.deepEqual(socket.sent, [[0, 'one'], [8000, 'two'], [10_000, 'three']]);
    clock.advance(1000);
    assert.deepEqual(socket.sent.slice(3), [[12_000, 'four']]);
    assert.deepEqual(socket.closes, [[1000, undefined]]);
  });

  test('a reader that drains before its next stanza is due keeps its schedule', (t) => {
    const { clock, socket } = setUp(t);
    socket.full = true;
    socket.emit('open');
    clock.advance(1500);
    socket.drain();
    socket.emit('drain');
    clock.advance(2500);
    assert.deepEqual(socket.sent, [[0, 'one'], [2000, 'two'], [4000, 'three']]);
  });

  test('a reader that is gone is read to no more, also if it drains afterwards', (t) => {
    const { clock, socket } = setUp(t);
    socket.emit('open');
    socket.emit('close', { code: 1006, reason: '' });
    socket.emit('drain');
    clock.advance(10_000);
    assert.deepEqual(socket.sent, [[0, 'one']]);
    assert.equal(clock.timers.size, 0);
  });

  for (const count of [1, 3, 500]) {
    test(`${count} messages, long ones and beyond ASCII, are told to the last`, (t) => {
      const clock = new FakeClock().install(t);
      const messages = Array.from({ length: count }, (_, i) => `${i} ${'€𐍈'.repeat(2000)}`);
      const recital = createRecital(messages, 2000);
      const socket = new FakeSocket(clock);
      assert.equal(recital.maxFrom, count);
      recital.begin(socket.asSocket(), 0);
      socket.emit('open');
      clock.advance(2000 * count);
      assert.deepEqual(socket.sent.map(([, text]) => text), messages);
      assert.deepEqual(socket.closes, [[1000, undefined]]);
    });
  }

  test('one that drains after the recital was closed is not read to again', (t) => {
    const { clock, socket, recital } = setUp(t);
    socket.full = true;
    socket.emit('open');
    clock.advance(2000);
    recital.close(4001, 'enough');
    socket.drain();
    clock.advance(10_000);
    assert.deepEqual(socket.sent, [[0, 'one']]);
    assert.deepEqual(socket.closes, [[4001, 'enough']]);
    assert.equal(clock.timers.size, 0);
  });
});
