import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../support/port.js';

/** One connection through the proxy. */
interface Pair {
  client: Socket;
  upstream: Socket;
}

/** A TCP proxy that misbehaves when it is told to. */
export class FaultyProxy {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #held: Socket[] = [];
  #target: number;
  #frozen = false;
  #closed = false;
  port = 0;
  /** Holds back what passes for so long, in milliseconds. */
  delayMs = 0;
  /** Passes every byte in a write of its own. */
  split = false;

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
      client.setNoDelay().on('error', () => client.destroy());
      if (this.#frozen) this.#held.push(client);
      else this.#join(client);
    });
  }

  static async start(target: number): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(target);
    proxy.port = await freePort();
    proxy.#server.listen(proxy.port, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** Ends every connection, as a peer does that goes (FIN) or that crashes (RST). */
  cut(how: 'FIN' | 'RST'): void {
    for (const pair of this.#pairs) {
      // Each ends by itself: Node cannot reset one that is destroyed meanwhile.
      this.#pairs.delete(pair);
      for (const socket of [pair.client, pair.upstream]) {
        if (how === 'FIN') socket.destroySoon();
        // Nor one that is not there yet, or that is ending already.
        else if (socket.connecting || socket.writableEnded) socket.destroy();
        else socket.resetAndDestroy();
      }
    }
  }

  /** Passes nothing more, either way, and lets nobody know. */
  freeze(): void {
    this.#frozen = true;
    for (const { client, upstream } of this.#pairs) {
      client.pause();
      upstream.pause();
    }
  }

  thaw(): void {
    this.#frozen = false;
    for (const { client, upstream } of this.#pairs) {
      client.resume();
      upstream.resume();
    }
    for (const client of this.#held.splice(0)) this.#join(client);
  }

  /** Refuses connections for so long (ms); the open ones go on. */
  async refuse(ms: number): Promise<void> {
    this.#server.close();
    await sleep(ms);
    if (this.#closed) return;
    this.#server.listen(this.port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  close(): void {
    this.#closed = true;
    this.#server.close();
    this.cut('RST');
    for (const client of this.#held) client.destroy();
  }

  #join(client: Socket): void {
    const upstream = connect({ port: this.#target, host: '127.0.0.1', allowHalfOpen: true });
    upstream.setNoDelay().on('error', () => upstream.destroy());
    const pair = { client, upstream };
    this.#pairs.add(pair);
    this.#pass(client, upstream);
    this.#pass(upstream, client);
    const end = (): void => {
      if (!this.#pairs.delete(pair)) return;
      client.destroy();
      upstream.destroy();
    };
    client.on('close', end);
    upstream.on('close', end);
    client.resume();
  }

  #pass(from: Socket, to: Socket): void {
    // One after the other: TCP may be slow, but it never changes the order.
    let passed = Promise.resolve();
    const later = (pass: () => void): void => {
      passed = passed.then(async () => {
        if (this.delayMs > 0) await sleep(this.delayMs);
        pass();
      });
    };
    from.on('data', (chunk: Buffer) => {
      later(() => {
        if (this.split) for (const byte of chunk) to.write(Buffer.of(byte));
        else to.write(chunk);
      });
    });
    from.on('end', () => later(() => to.end()));
  }
}
