/**
 * Stands in for iisnode's interceptor.js: `node interceptor.js FULL\PATH\server-faye.js`.
 * As there, argv moves up, stdout and stderr become files beside the script and their write()
 * returns undefined and calls no callback, and the script is require()d.
 */
import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

process.argv.splice(1, 1);
const script = process.argv[1] ?? '';
const folder = join(dirname(script), 'iisnode');
mkdirSync(folder, { recursive: true });
for (const name of ['stdout', 'stderr'] as const) {
  const file = join(folder, `${process.pid}-${name}.txt`);
  const write = (chunk: string | Uint8Array): void => appendFileSync(file, chunk);
  // The very thing to stand in for: the type of write() is not kept there either.
  process[name].write = write as unknown as typeof process.stdout.write;
}
require(script);
