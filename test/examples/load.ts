import { freemem, totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Reader, Stream } from './reader.js';

/**
 * A live source: how much memory is in use, as JSON, every `intervalMs` milliseconds. Copy
 * load.render.js to public/render.js: it draws a message as a bar.
 */
export function createLoad(intervalMs: number): Stream {
  async function begin(reader: Reader): Promise<void> {
    while (await reader.drained()) {
      reader.send(JSON.stringify({ used: totalmem() - freemem(), total: totalmem() }));
      await sleep(intervalMs);
    }
  }
  return { total: Infinity, begin };
}
