import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import WebSocket from 'faye-websocket';
import { report } from './report.js';

/** What the server streams. Replace it with your own. */
export interface Stream {
  /** How many messages there are, which is the largest `from`; Infinity if it has no end. */
  readonly total: number;
  /** Called once per open reader, which has received `from` messages before. It may be async. */
  begin(reader: Reader, from: number, request: IncomingMessage): void | Promise<void>;
  /** The numbering of the messages: its name, not empty, and how many of the oldest are gone. */
  origin?(request: IncomingMessage): { epoch: string; earliest: number };
  /** Called at shutdown: clear timers, save, disconnect. The process waits for it, 3 s at most. */
  close?(): void | Promise<void>;
}

/** One client of a stream: a WebSocket with limits, which is never silent for long. */
export class Reader extends WebSocket {
  #silentSeconds = 0;
  #messages = 0; // From the client, in this second.
  #paidMs = 0; // When its bytes so far are within its share.
  #waiting: (() => void)[] | undefined; // Those who wait for `drained()`.
  #timer: NodeJS.Timeout | undefined; // Until it may send more.

  /** `hello` is sent first, as a binary message, unless it is empty. */
  constructor(request: IncomingMessage, private socket: Duplex, head: Buffer, hello: string) {
    // The library keeps these as long as the connection, so pass on only what it needs.
    super({ method: 'GET', url: '/', headers: {
      host: 'localhost', connection: 'Upgrade', upgrade: 'websocket',
      'sec-websocket-version': '13', 'sec-websocket-key': request.headers['sec-websocket-key'],
    } }, socket, Buffer.alloc(0), [], { maxLength: 1024 }); // A longer message closes with 1009.
    if (hello) this.once('open', () => super.send(Buffer.from(hello)));
    // With this listener, the library gets only what `read()` takes, and `head` first of all.
    socket.on('readable', () => this.#read()).unshift(head);
  }

  /** Sends a message, or returns false: until `drain` if its buffer is full, else for ever. */
  override send(text: string): boolean {
    if (this.readyState !== 1 || this.socket.writableNeedDrain) return false;
    this.#silentSeconds = 0;
    super.send(text);
    return true;
  }

  /** Resolves with true once `send()` would send, or with false once the reader is closing. */
  async drained(): Promise<boolean> {
    while (this.readyState === 1 && this.socket.writableNeedDrain) {
      await new Promise<void>((resolve) => (this.#waiting ??= []).push(resolve));
    }
    return this.readyState === 1;
  }

  override close(code?: WebSocket.Code, reason?: string): void {
    super.close(code, reason);
    for (const resolve of this.#waiting?.splice(0) ?? []) resolve();
  }

  /** Sees each event before its listeners do. Listeners of its own would take memory. */
  override emit(name: string, ...values: unknown[]): boolean {
    if (name === 'message') this.#messages += 1;
    if (this.#messages > 500) this.close(4008, 'too many messages in a second');
    if (name === 'drain') this.#read();
    for (const resolve of this.#waiting?.splice(0) ?? []) resolve();
    try {
      return super.emit(name, ...values);
    } catch (error) {
      this.fail(error); // Node.js 24 would swallow it.
      return true;
    }
  }

  /** Closes with 4000 after an error of the stream. What fails after its departure is no error. */
  fail(error: unknown): void {
    if (this.readyState !== 1) return;
    report('The stream failed for a reader', error);
    this.close(4000, 'the stream failed');
  }

  /** Reads until the client is a second ahead of its share, 16 KiB a second; later the rest. */
  #read(): void {
    clearTimeout(this.#timer);
    while (!this.socket.writableNeedDrain) {
      const aheadMs = this.#paidMs - performance.now() - 1000;
      if (aheadMs > 0) return void (this.#timer = setTimeout(() => this.#read(), aheadMs).unref());
      const chunk: Buffer | null = this.socket.read(Math.min(this.socket.readableLength, 1024));
      if (!chunk) return;
      // The library keeps each fragment as a Buffer, which takes more memory than its bytes.
      const message = this._driver._message;
      if (message) message._chunks = [Buffer.concat(message._chunks)];
      this.#paidMs = Math.max(this.#paidMs, performance.now()) + chunk.length / 16.384;
    }
  }

  /** Call it once a second: ends 5 s of silence, and connections that are full for 10 minutes. */
  static readonly tick = (reader: Reader): void => reader.#tick();
  #tick(): void {
    this.#messages = 0;
    this.#silentSeconds += 1;
    if (this.#silentSeconds >= 5 && !this.socket.writableNeedDrain) {
      this.#silentSeconds = 0;
      super.send(Buffer.alloc(0)); // Pages cannot see pings.
    }
    if (this.#silentSeconds >= 600) this.socket.destroy();
  }
}
