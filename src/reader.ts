import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import WebSocket from 'faye-websocket';

const MAX_MESSAGE_BYTES = 1024; // A longer message from a client closes with 1009.
const MAX_PENDING_BYTES = 64 * 1024; // websocket-driver does not limit fragments and pings.

/** One client of the stream: a WebSocket with size limits, which is never silent for long. */
export class Reader extends WebSocket {
  #silentSeconds = 0;
  /** Accepts a handshake. `close()` before `open` ends the connection without a response. */
  constructor({ method, url, headers }: IncomingMessage, private socket: Socket, head: Buffer) {
    // The library keeps what it gets as long as the connection, so do not pass the whole request.
    super({ method, url, headers }, socket, head, [], { maxLength: MAX_MESSAGE_BYTES });
    let completeAt = socket.bytesRead - head.length;
    this.on('message', () => void (completeAt = socket.bytesRead));
    // After the library has read a chunk, which may complete messages.
    socket.on('data', () => socket.bytesRead - completeAt > MAX_PENDING_BYTES && socket.destroy());
  }

  /** Sends a text message. Returns false, and sends nothing, while the socket's buffer is full. */
  override send(text: string): boolean {
    if (this.socket.writableNeedDrain) return false;
    this.#silentSeconds = 0;
    super.send(text);
    return true;
  }

  /** Call every second. After 4 to 5 s of silence it sends an empty message. False once closed. */
  tick(): boolean {
    if (++this.#silentSeconds >= 5) this.send(''); // Pages cannot see pings.
    return this.readyState < 3;
  }
}
