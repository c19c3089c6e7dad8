import { createHash } from 'node:crypto';

/** The seed of this run: `SEED=7 npm test` repeats a run whose failure printed 7. */
export const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** Returns a function like Math.random() that repeats itself for the same seed. */
export function createRandom(seed: number): () => number {
  let last: Buffer = Buffer.from(`${seed}`);
  return () => (last = createHash('sha1').update(last).digest()).readUInt32LE() / 2 ** 32;
}
