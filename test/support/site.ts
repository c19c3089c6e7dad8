import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { ROOT } from './program.js';

/** What the tests tell, so that they hold whatever the project itself tells. */
export const MESSAGES = Array.from({ length: 46 }, (_, i) => `Message ${i + 1}: dürr, € 𐍈\nits second line\nits third`);

/**
 * A copy of the project as a production install has it, in a folder of its own, gone after the test.
 * It tells the messages that are given, and its page knows how many they are.
 */
export function copySite(t: Pick<TestContext, 'after'>, messages = MESSAGES): string {
  const folder = mkdtempSync(join(tmpdir(), 'dante-'));
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));
  chmodSync(folder, 0o755);
  for (const part of ['dist', 'public', 'src', 'server-faye.js', 'web.config', 'package.json', 'node_modules']) {
    const filter = (path: string): boolean => !/node_modules.(typescript|@types|\.bin)/.test(path);
    // What is there for IIS may have been removed.
    if (existsSync(join(ROOT, part))) cpSync(join(ROOT, part), join(folder, part), { recursive: true, filter });
  }
  writeFileSync(join(folder, 'dist', 'canto1.js'), `exports.canto1 = ${JSON.stringify(messages)};\n`);
  const page = join(folder, 'public', 'index.html');
  writeFileSync(page, readFileSync(page, 'utf8').replace(/\bmax="\d+"/, `max="${messages.length}"`));
  return folder;
}

const shared = new Map<number, string>();

/** Such a copy for all tests of a file, which change nothing in it; it tells so many messages. */
export function sharedSite(count = MESSAGES.length): string {
  const remain = { after: (remove: () => void) => void process.on('exit', remove) };
  const site = shared.get(count) ?? copySite(remain, MESSAGES.slice(0, count));
  shared.set(count, site);
  return site;
}
