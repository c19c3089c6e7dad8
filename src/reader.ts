import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import WebSocket from 'faye-websocket';

const MAX_MESSAGE_BYTES = 1024; // A longer message from a client closes with 1009.
const MAX_PENDING_BYTES = 256 * 1024; // The library limits messages, but not empty fragments.

/** What the server streams. Replace it with your own. */
export interface Stream {
  /** How many messages there are, which is the largest `from`; Infinity if it has no end. */
  readonly maxFrom: number;
  /** Called once per open reader, which has received `from` messages before. It may be async. */
  begin(reader: Reader, from: number, request: IncomingMessage): void | Promise<void>;
}

/** One client of a stream: a WebSocket with limits, which is never silent for long. */
export class Reader extends WebSocket {
  #silentSeconds = 0;
  constructor({ url, headers }: IncomingMessage, private socket: Duplex, head: Buffer) {
    // The library keeps these as long as the connection, so pass on only what it reads.
    const request = { method: 'GET', url, headers: {
      host: headers.host, connection: 'Upgrade', upgrade: 'websocket',
      'sec-websocket-version': '13', 'sec-websocket-key': headers['sec-websocket-key'],
    } };
    super(request, socket, head, [], { maxLength: MAX_MESSAGE_BYTES });
    let pendingBytes = head.length;
    this.on('message', () => void (pendingBytes = 0));
    // After the library has read a chunk, which may complete messages.
    socket.on('data', ({ length }: Buffer) => {
      pendingBytes += length;
      if (pendingBytes > MAX_PENDING_BYTES) socket.destroy();
    });
  }

  /** Sends a message, or returns false: until `drain` if it is full, else until `close`. */
  override send(message: string | Buffer): boolean {
    if (this.readyState !== 1 || this.socket.writableNeedDrain) return false;
    this.#silentSeconds = 0;
    super.send(message);
    return true;
  }

  /** Call every second: ends 5 s of silence, and a connection that is full for 10 minutes. */
  tick(): void {
    this.#silentSeconds += 1;
    if (this.#silentSeconds >= 5) this.send(Buffer.alloc(0)); // Pages cannot see pings.
    // On Linux a client that reads 10 KB/s takes up to 114 s to drain.
    if (this.#silentSeconds >= 600) this.socket.destroy();
  }
}
