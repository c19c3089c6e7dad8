/** What the servers share: the stream, how they start, and how they report what they have used. */
import type { AddressInfo, Server } from 'node:net';

/** As long as the poem, with frame headers of 2 bytes. */
export const stanzas = Array.from({ length: 46 }, () => 'Dante'.repeat(25));
export const intervalMs = Number(process.argv[2]);

/** Listens on a free port, and sends the benchmark the port, and what it asks for. */
export function serve(server: Server): void {
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuUs: user + system, rssBytes: process.memoryUsage.rss() });
  });
  // The channel closes when the benchmark ends, however it ends.
  process.on('disconnect', () => process.exit());
}
