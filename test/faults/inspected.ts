import { once } from 'node:events';
import { join } from 'node:path';
import { startServer, type Program } from '../support/program.js';
import { sharedSite } from '../support/site.js';

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
