import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { after, afterEach, before, describe, test } from 'node:test';
import { BINARY, CLOSE, PING, PONG, TEXT, closePayload, frame, parseFrames } from './frame.js';
import { startInspected, type Holdings, type InspectedServer } from '../support/inspected.js';
import { startServer } from '../support/program.js';
import { SEED, seeded } from './random.js';
import { connectTo, handshake } from '../support/raw.js';
import { openReader } from '../support/reader.js';
import { MESSAGES, sharedSite } from '../support/site.js';
import { until } from '../support/until.js';

const INTERVAL_MS = 40;
const FIRST = String(MESSAGES[0]);

/** A raw connection that collects what comes, and knows when it is over. */
interface Raw {
  socket: Socket;
  bytes(): Buffer;
  closed: Promise<void>;
  /** The code of the close frame that the server has sent, if it has. */
  closeCode(): number | undefined;
}

describe('abuse', { timeout: 120_000 }, () => {
  let server: InspectedServer;
  // While each abuse goes on, somebody reads one canto after the other, each complete.
  let witness: Promise<void>;
  let watching = true;
  let stanzas = 0;
  before(async () => {
    server = await startInspected({ INTERVAL_MS: String(INTERVAL_MS) });
    witness = watch();
  });
  afterEach(async () => {
    const seen = stanzas;
    await until(() => stanzas > seen, 'the next stanza of somebody else');
    assert.equal(server.child.exitCode, null);
    assert.equal(server.output.stderr, '');
  });
  after(async () => {
    watching = false;
    await witness;
    server.child.kill('SIGKILL');
  });

  const watch = async (): Promise<void> => {
    while (watching) {
      const reader = openReader(`ws://127.0.0.1:${server.port}/ws`);
      reader.socket.on('message', () => (stanzas += 1));
      assert.equal((await reader.closed).code, 1000);
      assert.deepEqual(reader.messages, MESSAGES);
    }
  };

  const open = async (request: string | Buffer = handshake(), { wait = true } = {}): Promise<Raw> => {
    const chunks: Buffer[] = [];
    const socket = connectTo(server.port);
    socket.on('error', () => {}); // Resets are part of it.
    socket.on('data', (chunk) => chunks.push(chunk));
    const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
    const bytes = (): Buffer => Buffer.concat(chunks);
    socket.write(request);
    if (wait) await until(() => bytes().includes(FIRST), 'the first stanza');
    const closeCode = (): number | undefined => {
      const payload = parseFrames(bytes()).find(({ opcode }) => opcode === CLOSE)?.payload;
      return payload && payload.length >= 2 ? payload.readUInt16BE() : undefined;
    };
    return { socket, bytes, closed, closeCode };
  };

  /** What the server holds on to, once that is no more than before, or than the witness alone needs. */
  const settled = (before: Holdings): Promise<Holdings> =>
    until(async () => {
      const now = await server.holdings();
      const kinds = ['sockets', 'recitals', 'timers'] as const;
      return kinds.every((kind) => now[kind] <= Math.max(before[kind], 1)) && now;
    }, 'the server to let go of all abusers');

  describe('violations of RFC 6455', () => {
    const big = Buffer.alloc(1025);
    for (const [name, bytes, codes] of [
      ['an unmasked text', frame(TEXT, 'x', { masked: false }), [1002, 1003]],
      ['an unmasked ping', frame(PING, '', { masked: false }), [1002, 1003]],
      ['the first reserved bit', frame(TEXT, 'x', { rsv: 4 }), [1002]],
      ['the second reserved bit', frame(TEXT, 'x', { rsv: 2 }), [1002]],
      ['the third reserved bit', frame(PING, 'x', { rsv: 1 }), [1002]],
      ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(
        (opcode): [string, Buffer, number[]] => [`the reserved opcode ${opcode}`, frame(opcode, 'x'), [1002]],
      ),
      ['a fragmented ping', frame(PING, 'x', { fin: false }), [1002]],
      ['a fragmented close', frame(CLOSE, closePayload(1000), { fin: false }), [1002]],
      ['a ping of 126 bytes', frame(PING, Buffer.alloc(126)), [1002]],
      ['a pong of 65536 bytes', frame(PONG, Buffer.alloc(65_536)), [1002, 1009]],
      ['a close of 126 bytes', frame(CLOSE, Buffer.alloc(126)), [1002]],
      ['a close of one byte', frame(CLOSE, 'x'), [1002]],
      ['a close with a reason that is not UTF-8', frame(CLOSE, Buffer.concat([closePayload(1000), Buffer.from([0xff])])), [1002, 1007]],
      ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535].map(
        (code): [string, Buffer, number[]] => [`a close with code ${code}`, frame(CLOSE, closePayload(code)), [1002]],
      ),
      ['text that is not UTF-8', frame(TEXT, Buffer.from([0xc3, 0x28])), [1007]],
      ['an overlong encoding', frame(TEXT, Buffer.from([0xc0, 0xaf])), [1007]],
      ['a surrogate', frame(TEXT, Buffer.from([0xed, 0xa0, 0x80])), [1007]],
      ['text that ends in the middle of a character', frame(TEXT, Buffer.from([0xe2, 0x82])), [1007]],
      ['fragments that are not UTF-8 together', Buffer.concat([frame(TEXT, Buffer.from([0xe2, 0x82]), { fin: false }), frame(0, Buffer.from([0x28]))]), [1007]],
      ['a continuation of nothing', frame(0, 'x'), [1002]],
      ['a text within a fragmented text', Buffer.concat([frame(TEXT, 'x', { fin: false }), frame(TEXT, 'y')]), [1002]],
      ['a message of 1025 bytes', frame(BINARY, big), [1009]],
      ['a message of 1025 bytes in fragments', Buffer.concat([frame(TEXT, 'x'.repeat(1000), { fin: false }), frame(0, 'x'.repeat(25))]), [1009]],
      ['a length of 2^31', frame(TEXT, '', { length: 2 ** 31, lengthBytes: 8 }), [1009]],
      ['a length of 2^53', frame(TEXT, '', { length: 2n ** 53n, lengthBytes: 8 }), [1009]],
      ['a length of 2^64-1', frame(BINARY, '', { length: 2n ** 64n - 1n, lengthBytes: 8 }), [1002, 1009]],
    ] as [string, Buffer, number[]][]) {
      test(`${name} ends that connection with ${codes.join(' or ')}`, async () => {
        const { socket, closed, closeCode } = await open();
        socket.write(bytes);
        await closed;
        // Or it has dropped the socket, close frame and all.
        assert.ok([...codes, undefined].includes(closeCode()), `closed with ${closeCode()}`);
      });
    }

    test('what is allowed is not taken for a violation', async () => {
      const { socket, bytes, closed, closeCode } = await open();
      for (const good of [
        frame(TEXT, 'x'.repeat(1024)),
        frame(TEXT, '€uro 𐍈'),
        frame(TEXT, 'x', { lengthBytes: 2 }),
        frame(TEXT, '', { fin: false }), frame(PING, 'between'), frame(0, ''),
        frame(BINARY, Buffer.from([0xff, 0xfe])),
        frame(PONG, 'unasked'),
        frame(PING, Buffer.alloc(125)),
      ]) socket.write(good);
      await until(() => parseFrames(bytes()).filter(({ opcode }) => opcode === PONG).length === 2, 'two pongs');
      assert.equal(closeCode(), undefined);
      socket.write(frame(CLOSE, closePayload(4999, 'gone')));
      await closed;
      assert.equal(closeCode(), 4999);
    });
  });

  test('half a handshake and silence', async () => {
    const halves = await Promise.all(
      Array.from({ length: 100 }, (_, i) => open(handshake().slice(0, i + 1), { wait: false })),
    );
    await new Promise((resolve) => setTimeout(resolve, 5 * INTERVAL_MS)); // The silence.
    for (const { socket } of halves) socket.destroy();
  });

  test('a handshake that comes one byte at a time is a handshake', async () => {
    const raw = await open('', { wait: false });
    raw.socket.setNoDelay();
    for (const byte of Buffer.from(handshake())) {
      raw.socket.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
    await until(() => raw.bytes().includes(FIRST), 'the first stanza');
    raw.socket.destroy();
  });

  test('100 KB of headers are refused with 431', async () => {
    const { bytes, closed } = await open(handshake('/ws', { 'X-Long': 'x'.repeat(100_000) }), { wait: false });
    await closed;
    assert.match(bytes().toString(), /^HTTP\/1\.1 431 /);
  });

  test('10,000 bytes that come along with the handshake are taken for frames', async () => {
    const texts = Buffer.concat(Array.from({ length: 100 }, () => frame(TEXT, 'x'.repeat(94))));
    const good = await open(Buffer.concat([Buffer.from(handshake()), texts, frame(PING, 'there?')]));
    await until(() => parseFrames(good.bytes()).some(({ opcode }) => opcode === PONG), 'a pong');
    assert.equal(good.closeCode(), undefined);
    good.socket.destroy();
    const bad = await open(Buffer.concat([Buffer.from(handshake()), Buffer.alloc(10_000, 'x')]), { wait: false });
    await bad.closed;
    const refused = await open(Buffer.concat([Buffer.from(handshake('/no')), Buffer.alloc(10_000, 'x')]), { wait: false });
    await refused.closed;
    assert.match(refused.bytes().toString(), /^HTTP\/1\.1 404 [^]*There is nothing here/);
  });

  test('pings in a flood are all answered, and memory stays flat', async () => {
    const before = await server.holdings();
    const { socket, bytes } = await open();
    const pings = Buffer.concat(Array.from({ length: 1000 }, () => frame(PING, 'x')));
    for (let i = 0; i < 20; i += 1) if (!socket.write(pings)) await once(socket, 'drain');
    await until(() => parseFrames(bytes()).filter(({ opcode }) => opcode === PONG).length === 20_000, 'all pongs');
    socket.destroy();
    const after = await settled(before);
    assert.ok(after.heapUsed - before.heapUsed < 2e6, `${after.heapUsed - before.heapUsed} bytes`);
  });

  test('pings in a flood from one who reads nothing do not fill the memory', async () => {
    const before = await server.holdings();
    const { socket } = await open();
    socket.pause();
    const pings = Buffer.concat(Array.from({ length: 10_000 }, () => frame(PING, Buffer.alloc(125))));
    // Until nothing more is taken: the server reads no further than it is read.
    for (let i = 0; i < 50 && socket.writableLength < 2e7; i += 1) {
      socket.write(pings);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const during = await server.holdings();
    socket.destroy();
    assert.ok(during.rss - before.rss < 6e7, `${during.rss - before.rss} bytes`);
    await settled(before);
  });

  test('messages in a flood are ignored, and memory stays flat', async () => {
    const before = await server.holdings();
    const { socket, bytes, closeCode } = await open();
    const texts = Buffer.concat(Array.from({ length: 1000 }, () => frame(TEXT, 'x'.repeat(100))));
    for (let i = 0; i < 20; i += 1) if (!socket.write(texts)) await once(socket, 'drain');
    socket.write(frame(PING, 'read?'));
    await until(() => parseFrames(bytes()).some(({ opcode }) => opcode === PONG), 'the end of the flood');
    assert.equal(closeCode(), undefined);
    socket.destroy();
    const after = await settled(before);
    assert.ok(after.heapUsed - before.heapUsed < 2e6, `${after.heapUsed - before.heapUsed} bytes`);
  });

  test('readers that never read, and that never answer the close', async () => {
    const before = await server.holdings();
    const raws = await Promise.all(Array.from({ length: 50 }, () => open()));
    for (const { socket } of raws.slice(25)) socket.pause();
    await until(() => raws.slice(0, 25).every(({ closeCode }) => closeCode() === 1000), 'the close frames');
    for (const { socket } of raws) socket.destroy();
    await settled(before);
  });

  test('resets during the handshake, the stream and the close', async () => {
    const before = await server.holdings();
    for (let i = 0; i < 100; i += 1) {
      const raw = await open(i % 4 === 0 ? handshake().slice(0, 90) : handshake(`/ws?from=${i % 4 === 3 ? 45 : 0}`), { wait: false });
      if (i % 4 === 2) await until(() => raw.bytes().includes(FIRST), 'the first stanza');
      if (i % 4 === 3) await until(() => raw.closeCode() === 1000, 'the close frame');
      raw.socket.resetAndDestroy();
    }
    await settled(before);
  });

  test('5,000 connections opened and dropped leave nothing behind', async () => {
    const wave = async (): Promise<void> => {
      for (let i = 0; i < 100; i += 1) {
        const raws = await Promise.all(Array.from({ length: 25 }, () => open(handshake(), { wait: i % 2 === 0 })));
        for (const { socket } of raws) socket.destroy();
      }
    };
    const start = await server.holdings();
    await wave();
    const before = await settled(start);
    await wave();
    const after = await settled(before);
    assert.ok(after.heapUsed / before.heapUsed < 1.1, `from ${before.heapUsed} to ${after.heapUsed} bytes`);
  });

  test(`100,000 frames of random bytes, SEED=${SEED}`, async () => {
    const before = await server.holdings();
    const random = seeded(SEED);
    // What the server may close with: an end, a fault, or the code of a random close frame, which it echoes (RFC 6455 section 5.5.1).
    const codes = new Set<number | undefined>([undefined, 1000, 1002, 1003, 1007, 1009]);
    const someFrame = (): Buffer => {
      // Mostly well formed, or no connection would live to see a second one.
      const opcode = random.next() < 0.98 ? [0, TEXT, BINARY, PING, PONG][random.below(5)] ?? 0 : random.below(16);
      const payload = random.bytes(random.below(20));
      if (opcode === CLOSE && payload.length >= 2) codes.add(payload.readUInt16BE());
      return frame(opcode, payload, {
        fin: random.next() < 0.9,
        rsv: random.next() < 0.99 ? 0 : random.below(8),
        masked: random.next() < 0.99,
        ...(random.next() < 0.01 && { length: random.below(2 ** 31) }),
      });
    };
    for (let sent = 0; sent < 100_000; ) {
      const raws = await Promise.all(
        Array.from({ length: 20 }, async () => {
          const frames = Array.from({ length: 100 }, someFrame);
          sent += frames.length;
          const raw = await open(handshake(), { wait: false });
          await until(() => raw.bytes().length > 0, 'the handshake');
          raw.socket.write(Buffer.concat(frames));
          return raw;
        }),
      );
      for (const { socket } of raws) socket.end();
      await Promise.all(raws.map(({ closed }) => closed));
      for (const { closeCode } of raws) assert.ok(codes.has(closeCode()), String(closeCode()));
    }
    await settled(before);
  });
});

describe('file descriptors', { timeout: 60_000, skip: process.platform === 'win32' && 'Windows has no ulimit' }, () => {
  test('with more connections than it may have, it goes on, and serves when some have gone', async (t) => {
    const node = ['/bin/sh', '-c', 'ulimit -n 64 && exec "$0" "$@"', process.execPath];
    const { child, output, port } = await startServer({ INTERVAL_MS: '20' }, { node, root: sharedSite() });
    t.after(() => child.kill('SIGKILL'));
    const early = openReader(`ws://127.0.0.1:${port}/ws`);
    await early.opened;
    const crowd = Array.from({ length: 200 }, () => {
      const socket = connectTo(port).on('error', () => {}); // Most of them are turned away.
      socket.write(handshake());
      return socket;
    });
    assert.equal((await early.closed).code, 1000);
    assert.deepEqual(early.messages, MESSAGES);
    for (const socket of crowd) socket.destroy();
    const late = await until(async () => {
      const reader = openReader(`ws://127.0.0.1:${port}/ws`);
      const { code } = await reader.closed;
      return code === 1000 && reader;
    }, 'a reader after the crowd');
    assert.deepEqual(late.messages, MESSAGES);
    assert.equal(child.exitCode, null);
    assert.doesNotMatch(output.stderr, / at /);
  });
});
