import WebSocket from 'faye-websocket';

/** Opens the stream at a `ws:` URL. `opened` also resolves if the handshake has failed. */
export function openReader(url: string, messages: string[] = []) {
  const socket = new WebSocket.Client(url);
  socket.on('message', ({ data }) => {
    if (typeof data === 'string') messages.push(data); // Else it is a sign of life.
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', ({ code, reason }) => resolve({ code, reason }));
  });
  const opened = Promise.race([new Promise<void>((resolve) => socket.on('open', resolve)), closed]);
  return { socket, messages, opened, closed };
}
