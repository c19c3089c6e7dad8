import { inspect } from 'node:util';

const hours = new Map<string, { endMs: number; leftOut: number }>();

/** Prints a line, each text once an hour. `detail` is cut and escaped: strangers can cause it. */
export function report(text: string, detail: unknown): void {
  const hour = hours.get(text);
  if (hour && performance.now() < hour.endMs) return void (hour.leftOut += 1);
  hours.set(text, { endMs: performance.now() + 3_600_000, leftOut: 0 });
  const shown = typeof detail === 'string' ? detail : inspect(detail).replace(/\s+/g, ' ');
  const more = hour?.leftOut ? ` (${hour.leftOut} more were left out)` : '';
  console.error(`${text}: ${inspect(shown.slice(0, 600))}${more}`);
}
