/**
 * Runs the tests: `node .test/run.js [SUFFIX [FOLDER …]]`, by default every `.test.js`, two files at
 * a time. Each file is a process with a bound, in a group that is killed when the file is done: Node's
 * own runner leaves behind what a test has started, and from 24 on waits for a file that is busy.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';

const WINDOWS = process.platform === 'win32';
const [suffix = '.test.js', ...only] = process.argv.slice(2);
const AT_ONCE = suffix === '.test.js' ? 2 : 1;
const MINUTES = suffix === '.test.js' ? 4 : 20;

// Longest first.
const folders = only.length > 0 ? only : ['faults', 'browser', 'iis', 'hosts', '.'];
const files = folders
  .map((folder) => join(__dirname, folder))
  .filter(existsSync)
  .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
  .filter((file) => file.endsWith(suffix));

const totals: Record<string, number> = { tests: 0 };
const failed: string[] = [];
const running = new Set<ChildProcess>();
const startedAt = performance.now();
const seconds = (since: number): string => ((performance.now() - since) / 1000).toFixed(1);

/** Ends a file and all that it has started. */
function kill(child: ChildProcess): void {
  if (WINDOWS) child.kill();
  // The group may be gone already, which is what it is killed for.
  else try { process.kill(-Number(child.pid), 'SIGKILL'); } catch {}
}

function runFile(file: string): Promise<void> {
  const child = spawn(process.execPath, ['--test-reporter=spec', file], {
    detached: !WINDOWS,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const fileStartedAt = performance.now();
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const name = relative(__dirname, file);
  const bound = setTimeout(() => {
    output += `✖ ${name} was not done within ${MINUTES} minutes\n`;
    kill(child);
  }, MINUTES * 60_000);
  return new Promise((resolve) => {
    child.on('exit', (code) => {
      clearTimeout(bound);
      running.delete(child);
      kill(child);
      if (code !== 0) failed.push(name);
      // Its summary becomes part of the one at the end.
      const report = output.replace(/^(?:\x1b\[\d+m)?ℹ (\w+) ([\d.]+).*\n/gm, (_, key: string, count: string) => {
        if (key !== 'duration_ms') totals[key] = (totals[key] ?? 0) + Number(count);
        return '';
      });
      console.log(`${name}, ${seconds(fileStartedAt)} s\n${report.trimEnd()}\n`);
      resolve();
    });
  });
}

async function runNext(): Promise<void> {
  for (let file = files.shift(); file; file = files.shift()) await runFile(file);
}

process.on('exit', () => running.forEach(kill));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));
void Promise.all(Array.from({ length: AT_ONCE }, runNext)).then(() => {
  for (const [key, count] of Object.entries(totals)) console.log(`ℹ ${key} ${count}`);
  console.log(`ℹ seconds ${seconds(startedAt)}`);
  for (const name of failed) console.log(`✖ ${name}`);
  if (failed.length > 0 || totals['tests'] === 0) process.exitCode = 1;
});
