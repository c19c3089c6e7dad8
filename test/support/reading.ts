import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import WebSocket from 'faye-websocket';
import type { Reading, Socket, State } from '../../public/reading.js';
import { ROOT } from './program.js';

export type { Reading, Socket, State };

/** The page's own logic, loaded as a browser does: a module, whatever package.json says. */
export async function loadReading(): Promise<typeof Reading> {
  const source = readFileSync(join(ROOT, 'public', 'reading.js'), 'utf8');
  const module = await import(`data:text/javascript,${encodeURIComponent(source)}`);
  return module.Reading;
}

/** A real WebSocket with the handlers of a browser's. */
export function connectReal(url: string): Socket {
  const client = new WebSocket.Client(url);
  const socket: Socket = { onopen: null, onmessage: null, onclose: null, close: () => client.close() };
  client.on('open', () => socket.onopen?.(new Event('open')));
  client.on('message', ({ data }) => socket.onmessage?.(new MessageEvent('message', { data: String(data) })));
  // As Node has no CloseEvent before 23; the code is all that is read.
  client.on('close', ({ code }) => socket.onclose?.({ code } as CloseEvent));
  return socket;
}
