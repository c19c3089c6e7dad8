/** Types for what most projects need of faye-websocket 0.11; the library ships none. */
declare module 'faye-websocket' {
  import { EventEmitter } from 'node:events';
  import type { IncomingMessage } from 'node:http';
  import type { Duplex } from 'node:stream';

  namespace WebSocket {
    interface Options {
      /** The largest message accepted, in bytes; a larger one closes the connection with 1009. */
      maxLength?: number;
      /** The interval of pings, in seconds. The default is no pings. */
      ping?: number;
      headers?: Record<string, string>;
    }

    interface Events {
      open: [];
      drain: [];
      message: [event: { data: string | Buffer }];
      close: [event: { code: number; reason: string }];
      error: [event: { message: string }];
    }
  }

  class WebSocket extends EventEmitter<WebSocket.Events> {
    constructor(
      request: Pick<IncomingMessage, 'method' | 'headers'> & { url?: string | undefined },
      socket: Duplex,
      head: Buffer,
      protocols?: string[],
      options?: WebSocket.Options,
    );
    static isWebSocket(request: IncomingMessage): boolean;
    static Client: new (
      url: string, protocols?: string[], options?: WebSocket.Options,
    ) => WebSocket;

    /** 0 is connecting, 1 open, 2 closing, 3 closed. */
    readonly readyState: number;
    /** Returns false if the buffer is full until `drain`, or if the socket is closing. */
    send(data: string | Buffer): boolean;
    /** Throws unless `code` is 1000 or 3000 to 4999. Waits up to 30 s for the peer's close. */
    close(code?: number, reason?: string): void;
    ping(message?: string, callback?: () => void): boolean;
    /** Stops and restarts taking messages from the peer. */
    pause(): void;
    resume(): void;
  }
  export = WebSocket;
}
