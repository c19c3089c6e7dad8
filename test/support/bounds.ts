/**
 * Every test file imports this, so that a file always ends: one that leaks a handle or never
 * finishes exits with 1, and the processes that it started are killed.
 */
import type { ChildProcess } from 'node:child_process';
import { after } from 'node:test';

/** Exits with 1 after `ms` milliseconds, if something else keeps the process alive for so long. */
const exitAfter = (ms: number, reason: string) => void setTimeout(() => {
  console.error(reason);
  process.exit(1);
}, ms).unref();

exitAfter(120_000, 'This test file took longer than 120 s.');
after(() => exitAfter(10_000, 'This test file left a handle open.'));
const children = new Set<ChildProcess>();
process.on('exit', () => children.forEach(kill));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

/** Kills a child process, and its process group if it was started as `detached`. */
export function kill(child: ChildProcess): void {
  try {
    process.kill(-Number(child.pid), 'SIGKILL');
  } catch {
    child.kill('SIGKILL'); // It leads no group, or this is Windows, which has none.
  }
}

/** Kills a child process when this process exits, if it still runs then. */
export function track<T extends ChildProcess>(child: T): T {
  children.add(child);
  return child.once('exit', () => children.delete(child));
}
