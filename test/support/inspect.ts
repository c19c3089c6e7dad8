/**
 * Runs inside the server under test (`--require`): answers a message with what it holds on to, and
 * reports what it should never have come to.
 */
import type WebSocket from 'faye-websocket';

/** Since Node 17.3, but not in its types. */
interface ResourcesInfo {
  getActiveResourcesInfo(): string[];
}

const alive = new Set<WeakRef<object>>();
// The one that the server loads, which may be a copy elsewhere.
const name = require.resolve('faye-websocket', { paths: [String(process.argv[1])] });
const library: typeof WebSocket = require(name);
const cached = require.cache[name];
if (!cached) throw new Error('faye-websocket is not where it was expected.');
cached.exports = Object.assign(
  new Proxy(library, {
    construct(target, args, newTarget): object {
      const socket: object = Reflect.construct(target, args, newTarget);
      alive.add(new WeakRef(socket));
      return socket;
    },
  }),
  { default: library },
);

process.on('message', () => {
  // Twice, for what the first one has only made unreachable; a tick apart, for WeakRefs.
  globalThis.gc?.();
  setImmediate(() => {
    globalThis.gc?.();
    for (const ref of alive) if (!ref.deref()) alive.delete(ref);
    const resources = (process as typeof process & ResourcesInfo).getActiveResourcesInfo();
    const { rss, heapUsed } = process.memoryUsage();
    process.send?.({
      rss,
      heapUsed,
      sockets: resources.filter((resource) => /^(TCP|Pipe)SocketWrap$/.test(resource)).length,
      timers: resources.filter((resource) => resource === 'Timeout').length,
      recitals: alive.size,
    });
  });
});
// The channel alone must not keep the server alive.
process.channel?.unref();
