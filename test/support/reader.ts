import WebSocket from 'faye-websocket';

export type Reader = ReturnType<typeof openReader>;

/**
 * Opens the stream at a `ws:` or `wss:` URL, and adds to `messages`; `times` are in milliseconds.
 * `opened` resolves with the handshake, or with the end if there was none.
 */
export function openReader(url: string, messages: string[] = []) {
  const socket = new WebSocket.Client(url);
  const times: number[] = [];
  socket.on('message', ({ data }) => {
    if (typeof data !== 'string') return; // A sign of life.
    messages.push(data);
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
