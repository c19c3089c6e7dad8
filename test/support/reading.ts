import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import WebSocket from 'faye-websocket';
import { ROOT } from './program.js';

/** As public/reading.js has it. */
export interface ReadingSocket {
  onopen: (() => void) | null;
  onmessage: ((event: { data: string }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  close(): void;
}

export type State =
  | { name: 'connecting' | 'reading' | 'paused' | 'ended' | 'refused' }
  | { name: 'waiting'; seconds: number };

export interface Means {
  total: number;
  connect(from: number): ReadingSocket;
  probe(): Promise<number>;
  onStanza(stanza: string): void;
  onState(state: State): void;
  now?(): number;
  random?(): number;
  setTimer?(callback: () => void, delayMs: number): number;
  clearTimer?(timer: number | undefined): void;
}

export interface Reading {
  readonly heard: number;
  readonly state: State;
  resume(): void;
  pause(): void;
  restart(): void;
  hurry(): void;
}

/** The page's own logic, loaded as a browser does: a module, whatever package.json says. */
export async function loadReading(): Promise<new (means: Means) => Reading> {
  const source = readFileSync(join(ROOT, 'public', 'reading.js'), 'utf8');
  const module = await import(`data:text/javascript,${encodeURIComponent(source)}`);
  return module.Reading;
}

/** A real WebSocket with the handlers of a browser's. */
export function connectReal(url: string): ReadingSocket {
  const client = new WebSocket.Client(url);
  const socket: ReadingSocket = { onopen: null, onmessage: null, onclose: null, close: () => client.close() };
  client.on('open', () => socket.onopen?.());
  client.on('message', ({ data }) => socket.onmessage?.({ data: String(data) }));
  client.on('close', ({ code }) => socket.onclose?.({ code }));
  return socket;
}
