import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Reading, Socket, State } from '../../public/reading.js';
import { ROOT } from './program.js';

export type { Reading, Socket, State };

/** Loads public/reading.js as a browser does: as a module, whatever package.json says. */
export async function loadReading(): Promise<typeof Reading> {
  const source = readFileSync(join(ROOT, 'public', 'reading.js'), 'utf8');
  const module = await import(`data:text/javascript,${encodeURIComponent(source)}`);
  return module.Reading;
}
