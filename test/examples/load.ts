import { loadavg } from 'node:os';
import { createMetronome } from './metronome.js';
import type { Reader, Stream } from './reader.js';

/** Streams the load of this machine as JSON, every `intervalMs` milliseconds, without an end. */
export function createLoad(intervalMs: number): Stream {
  const metronome = createMetronome(intervalMs);
  function begin(reader: Reader): void {
    const send = (): void => void reader.send(JSON.stringify({ load: loadavg()[0] }));
    reader.on('close', metronome.join(send));
    send();
  }
  return { maxFrom: Infinity, begin };
}
