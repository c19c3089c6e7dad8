import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import WebSocket from 'faye-websocket';

const MAX_MESSAGE_BYTES = 1024; // A longer message from a client closes with 1009.
const MAX_INCOMPLETE_BYTES = 64 * 1024; // websocket-driver does not limit fragments and pings.
const MAX_SILENCE_MS = 5000; // Pages cannot see pings.

/** One client of the stream: a WebSocket with size limits, which is never silent for long. */
export class Reader extends WebSocket {
  #full = false;
  #silence: NodeJS.Timeout | undefined;
  /** Accepts a handshake. `close()` before `open` ends the connection without a response. */
  constructor({ method, url, headers }: IncomingMessage, socket: Socket, head: Buffer) {
    // The library keeps what it gets as long as the connection, so do not pass the whole request.
    super({ method, url, headers }, socket, head, [], { maxLength: MAX_MESSAGE_BYTES });
    let incompleteBytes = head.length;
    // Add a chunk before the library reads it, and check after it: the chunk may complete messages.
    socket.prependListener('data', (chunk: Buffer) => void (incompleteBytes += chunk.length));
    socket.on('data', () => incompleteBytes > MAX_INCOMPLETE_BYTES && socket.destroy());
    this.on('message', () => void (incompleteBytes = 0));
    this.on('drain', () => void (this.#full = false));
    this.on('open', () => void (this.#silence = setInterval(() => this.send(''), MAX_SILENCE_MS)));
    this.on('close', () => clearInterval(this.#silence));
  }

  /** Sends a text message. Returns false, and sends nothing, while the buffer is full. */
  override send(text: string): boolean {
    if (this.#full) return false;
    this.#silence?.refresh();
    this.#full = !super.send(text);
    return true;
  }
}
