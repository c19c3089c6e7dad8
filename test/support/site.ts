import { chmodSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { ROOT } from './program.js';

/** A copy of the project as a production install has it, in a folder of its own, gone after the test. */
export function copySite(t: Pick<TestContext, 'after'>): string {
  const folder = mkdtempSync(join(tmpdir(), 'dante-'));
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));
  chmodSync(folder, 0o755);
  for (const part of ['dist', 'public', 'src', 'server-faye.js', 'web.config', 'package.json', 'node_modules']) {
    const filter = (path: string): boolean => !/node_modules.(typescript|@types|\.bin)/.test(path);
    cpSync(join(ROOT, part), join(folder, part), { recursive: true, filter });
  }
  return folder;
}
