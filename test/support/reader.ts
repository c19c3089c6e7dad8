import WebSocket from 'faye-websocket';

/** How a connection ended. */
export interface Ending {
  code: number;
  reason: string;
}

/** A plain client that knows only text messages. */
export interface Reader {
  socket: WebSocket.Socket;
  messages: string[];
  /** When each message came, in milliseconds on the monotonic clock. */
  times: number[];
  /** Resolves with the handshake, or with the end where there was none. */
  opened: Promise<void>;
  closed: Promise<Ending>;
}

/** Opens a stream and collects what it tells. */
export function openReader(url: string, headers: Record<string, string> = {}): Reader {
  const socket = new WebSocket.Client(url, [], { headers });
  const messages: string[] = [];
  const times: number[] = [];
  socket.on('message', ({ data }) => {
    messages.push(String(data));
    times.push(performance.now());
  });
  const closed = new Promise<Ending>((resolve) => {
    socket.on('close', ({ code, reason }) => resolve({ code, reason }));
  });
  const opened = Promise.race([
    new Promise<void>((resolve) => socket.on('open', () => resolve())),
    closed.then(() => {}),
  ]);
  return { socket, messages, times, opened, closed };
}
