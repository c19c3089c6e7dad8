import { setTimeout as sleep } from 'node:timers/promises';

/** Asks `condition` until its answer is truthy, and returns it. Throws after `timeoutMs` ms. */
export async function until<T>(condition: () => T | Promise<T>, what: string, timeoutMs = 30_000) {
  const deadline = process.uptime() + timeoutMs / 1000; // A fake clock does not change it.
  for (; process.uptime() < deadline; await sleep(5)) {
    const answer = await condition();
    if (answer) return answer;
  }
  throw new Error(`Waited ${timeoutMs} ms for ${what}.`);
}
