/** The server of faye-websocket's README, telling the canto, and nothing else. */
import { createServer } from 'node:http';
import WebSocket from 'faye-websocket';
import { canto1 } from '../../dist/canto1.js';

const intervalMs = Number(process.env['INTERVAL_MS']);
const server = createServer();

server.on('upgrade', (request, socket, body) => {
  if (!WebSocket.isWebSocket(request)) return;
  const ws = new WebSocket(request, socket, body);
  let told = 0;
  let timer: NodeJS.Timeout;
  const tell = (): void => {
    ws.send(canto1[told++] ?? '');
    if (told < canto1.length) timer = setTimeout(tell, intervalMs);
    else ws.close();
  };
  ws.on('open', tell);
  ws.on('close', () => clearTimeout(timer));
});

server.listen(Number(process.env['PORT']), '127.0.0.1');
