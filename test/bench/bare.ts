/** The server of faye-websocket's README, with a timer for each reader. */
import { createServer } from 'node:http';
import WebSocket from 'faye-websocket';
import { intervalMs, serve, stanzas } from './report.js';

serve(createServer().on('upgrade', (request, socket, head) => {
  const ws = new WebSocket(request, socket, head);
  let sent = 0;
  const send = (): void => {
    ws.send(stanzas[sent++] ?? '');
    if (sent < stanzas.length) setTimeout(send, intervalMs);
    else ws.close();
  };
  ws.on('open', send);
}));
