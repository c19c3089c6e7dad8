/** Types for what most projects need of faye-websocket 0.11; the library ships none. */
declare module 'faye-websocket' {
  import type { EventEmitter } from 'node:events';
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

    interface Socket extends EventEmitter {
      on(event: 'open' | 'drain', listener: () => void): this;
      on(event: 'message', listener: (event: { data: string | Buffer }) => void): this;
      on(event: 'close', listener: (event: { code: number; reason: string }) => void): this;
      on(event: 'error', listener: (event: { message: string }) => void): this;
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
  }

  const WebSocket: {
    new (
      request: Pick<IncomingMessage, 'method' | 'url' | 'headers'>,
      socket: Duplex,
      head: Buffer,
      protocols?: string[],
      options?: WebSocket.Options,
    ): WebSocket.Socket;
    isWebSocket(request: IncomingMessage): boolean;
    Client: {
      new (url: string, protocols?: string[], options?: WebSocket.Options): WebSocket.Socket;
    };
  };
  export = WebSocket;
}
