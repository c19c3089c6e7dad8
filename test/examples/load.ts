import { freemem, totalmem } from 'node:os';
import { createMetronome } from './metronome.js';
import type { Reader, Stream } from './reader.js';

/** Streams how much memory of this machine is in use, as a bar, every `intervalMs` milliseconds. */
export function createLoad(intervalMs: number): Stream {
  const metronome = createMetronome(intervalMs);
  function begin(reader: Reader): void {
    const send = (): void => {
      const percent = Math.round(100 - (100 * freemem()) / totalmem());
      reader.send(`${'█'.repeat(percent / 4)} ${percent} %`);
    };
    reader.on('close', metronome.join(send));
    send();
  }
  return { total: Infinity, begin };
}
