import WebSocket from 'faye-websocket';

/** A plain client that collects the messages of a stream. */
export interface Reader {
  socket: WebSocket.Socket;
  messages: string[];
  /** When each message arrived, in milliseconds on the monotonic clock. */
  times: number[];
  /** Resolves with the handshake, or with the end if there was none. */
  opened: Promise<unknown>;
  closed: Promise<{ code: number; reason: string }>;
  /** The close code, once the connection is closed. */
  code(): number | undefined;
}

/** Opens the stream at a `ws:` or `wss:` URL. */
export function openReader(url: string, headers: Record<string, string> = {}): Reader {
  const socket = new WebSocket.Client(url, [], { headers });
  const messages: string[] = [];
  const times: number[] = [];
  socket.on('message', ({ data }) => {
    messages.push(String(data));
    times.push(performance.now());
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', ({ code, reason }) => resolve({ code, reason }));
  });
  const opened = Promise.race([new Promise<void>((resolve) => socket.on('open', resolve)), closed]);
  let code: number | undefined;
  void closed.then((end) => (code = end.code));
  return { socket, messages, times, opened, closed, code: () => code };
}
