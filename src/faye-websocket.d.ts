/** Types for what dante uses of faye-websocket 0.11 or later; the library ships none. */
declare module 'faye-websocket' {
  import { EventEmitter } from 'node:events';
  import type { IncomingMessage } from 'node:http';
  import type { Duplex } from 'node:stream';

  namespace WebSocket {
    interface Options {
      /** The largest message accepted, in bytes; a larger one closes the connection with 1009. */
      maxLength?: number;
    }

    interface Events {
      open: [];
      /** The buffer was full, and is empty now. */
      drain: [];
      message: [event: { data: string | Buffer }];
      close: [event: { code: number; reason: string }];
      error: [event: { message: string }];
    }

    type Digit = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;
    type ToNumber<T> = T extends `${infer N extends number}` ? N : never;
    /** 1000, or 3000 to 4999. `close()` throws on other codes. */
    type Code = 1000 | ToNumber<`${3 | 4}${Digit}${Digit}${Digit}`>;
  }

  class WebSocket extends EventEmitter<WebSocket.Events> {
    constructor(
      request: Pick<IncomingMessage, 'method' | 'url' | 'headers'>,
      socket: Duplex,
      head: Buffer,
      protocols?: string[],
      options?: WebSocket.Options,
    );
    static Client: new (url: string) => WebSocket;

    /** 0 is connecting, 1 open, 2 closing, 3 closed. */
    readonly readyState: number;
    /** Returns false if the buffer is full until `drain`, or if the socket is closing. */
    send(data: string | Buffer): boolean;
    /** Waits up to 30 s for the peer's close. `reason` has at most 123 bytes. */
    close(code?: WebSocket.Code, reason?: string): void;
    emit(name: string, ...values: unknown[]): boolean;
    /** Private in the library: the message that is not complete yet, in fragments. */
    protected readonly _driver: { _message?: { _chunks: Buffer[] } };
  }
  export = WebSocket;
}
