import { inspect } from 'node:util';

const hours = new Map<string, { endMs: number; leftOut: number }>();

/**
 * Prints a line, but the same `text` only once an hour. `detail`, an error for example, is cut and
 * escaped: a stranger may have caused it.
 */
export function report(text: string, detail: unknown): void {
  const nowMs = performance.now();
  const { endMs, leftOut } = hours.get(text) ?? { endMs: 0, leftOut: 0 };
  if (nowMs < endMs) return void hours.set(text, { endMs, leftOut: leftOut + 1 });
  hours.set(text, { endMs: nowMs + 3_600_000, leftOut: 0 });
  const shown = typeof detail === 'string' ? detail : inspect(detail).replace(/\s+/g, ' ');
  const more = leftOut ? ` (${leftOut} more were left out)` : '';
  console.error(`${text}: ${inspect(shown.slice(0, 600))}${more}`);
}
