/** The server of faye-websocket's README, with a timer for each reader. */
import { createServer } from 'node:http';
import WebSocket from 'faye-websocket';
import { stanzas } from './report.js';

const server = createServer().on('upgrade', (request, socket, head) => {
  const ws = new WebSocket(request, socket, head);
  let sent = 0;
  const send = (): void => {
    ws.send(stanzas[sent++] ?? '');
    if (sent < stanzas.length) setTimeout(send, Number(process.env['INTERVAL_MS']));
    else ws.close();
  };
  ws.on('open', send);
});
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify(server.address())));
