/** Preloaded into every server (`--require`): sets the stream and reports what the server used. */
import { canto1 } from '../../dist/canto1.js';

/** The stream, whatever the project's own: as long as the poem, with frame headers of 2 bytes. */
export const stanzas = Array.from({ length: 46 }, () => 'Dante'.repeat(25));
Object.assign(canto1, stanzas, { length: stanzas.length });

process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuUs: user + system, rssBytes: process.memoryUsage.rss() });
});
// The channel closes when the benchmark ends, however it ends.
process.on('disconnect', () => process.exit());
