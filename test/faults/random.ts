/** Random numbers that can be had again: `seed` makes the same ones on every machine (mulberry32). */
export function seeded(seed: number): { next(): number; below(limit: number): number; bytes(count: number): Buffer } {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return { next, below, bytes: (count) => Buffer.from(Array.from({ length: count }, () => below(256))) };
}

/** The seed of this run: SEED if it is set, to have a run again. */
export const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 32));
