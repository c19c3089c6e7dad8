import { once } from 'node:events';
import { join } from 'node:path';
import { startServer, type Program } from './program.js';
import { sharedSite } from './site.js';
import { until } from './until.js';

/** What a server holds on to, after a garbage collection. Memory in bytes. */
export interface Holdings {
  rss: number;
  heapUsed: number;
  sockets: number;
  timers: number;
  recitals: number;
}

export interface InspectedServer extends Program {
  port: number;
  holdings(): Promise<Holdings>;
}

/** Starts a server that can be asked what it holds on to. */
export async function startInspected(env: Record<string, string> = {}): Promise<InspectedServer> {
  const node = [process.execPath, '--expose-gc', '--require', join(__dirname, 'inspect.js')];
  const server = await startServer(env, { node, root: sharedSite(), stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  return {
    ...server,
    async holdings() {
      server.child.send('holdings');
      const [answer] = await once(server.child, 'message');
      return answer;
    },
  };
}

/** Waits until the server holds on to nothing of any reader, and returns what it holds then. */
export async function idle(server: InspectedServer): Promise<Holdings> {
  await until(async () => {
    const { sockets, timers, recitals } = await server.holdings();
    return sockets + timers + recitals === 0;
  }, 'the server to hold on to no socket, no timer and no recital');
  return server.holdings();
}
