import WebSocket from 'faye-websocket';

/** How a connection ended. */
export interface Ending {
  code: number;
  reason: string;
}

/** A plain client that knows only text messages. */
export interface Reader {
  socket: WebSocket.Socket;
  stanzas: string[];
  /** Resolves with the handshake. */
  opened: Promise<void>;
  closed: Promise<Ending>;
}

/** Opens a stream and collects what it tells. */
export function openReader(url: string, headers: Record<string, string> = {}): Reader {
  const socket = new WebSocket.Client(url, [], { headers });
  const stanzas: string[] = [];
  socket.on('message', ({ data }) => stanzas.push(String(data)));
  return {
    socket,
    stanzas,
    opened: new Promise((resolve) => socket.on('open', () => resolve())),
    closed: new Promise((resolve) => {
      socket.on('close', ({ code, reason }) => resolve({ code, reason }));
    }),
  };
}
