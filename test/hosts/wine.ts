/** A Windows made by Wine in a temporary folder, which goes when this process exits. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** The project's folder, as seen from .test/hosts. */
export const ROOT = join(__dirname, '..', '..');
const { HOME, NODE_EXES: exes = '', PATH } = process.env;
/** The node.exe files to test with, newest first, separated as in PATH. */
export const NODE_EXES = exes.split(delimiter);

const folder = mkdtempSync(join(tmpdir(), 'dante-wine-'));
/** The path on this system of a file on a drive or share. */
export const at = (path: string): string => join(folder, 'dosdevices',
  path.replace(/^\w:/, (drive) => drive.toLowerCase()).replace('\\\\', 'unc/').replace(/\\/g, '/'));
// Without what changes how programs behave: CI, NODE_OPTIONS, NODE_TEST_CONTEXT and more.
const ENV = { HOME, PATH, LC_ALL: 'C.UTF-8', WINEPREFIX: folder, WINEDEBUG: '-all' };
/** Waits until all programs have ended, or ends them. */
export const wait = () => execFileSync('wineserver', ['-w'], { env: ENV, timeout: 60_000 });
export const stop = () => spawnSync('wineserver', ['-k'], { env: ENV });

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
process.on('exit', () => {
  stop();
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
});
// Node.js refuses to start on Wine's default Windows.
execFileSync('winecfg', ['-v', 'win10'], { env: ENV, stdio: 'ignore', timeout: 60_000 });

/** Starts a program, input from nul, output to files: node.exe cannot open Wine's pipes. */
export function start(args: string[], cwd: string, env: NodeJS.ProcessEnv) {
  const run = mkdtempSync(join(folder, 'run-'));
  const files = [openSync(join(run, 'stdout'), 'w'), openSync(join(run, 'stderr'), 'w')];
  const child = spawn('wine', args, {
    cwd, env: { ...ENV, ...env }, stdio: ['ignore', ...files], timeout: 300_000,
  });
  files.forEach((file) => closeSync(file));
  const read = (name: string): string => readFileSync(join(run, name), 'utf8');
  const ended = once(child, 'exit').then(([code]: (number | null)[]) =>
    ({ code, stdout: read('stdout'), stderr: read('stderr') }));
  return { child, read, ended };
}

/** Runs a program to its end, and again if Wine did not start it: once in thousands of times. */
export async function run(...args: Parameters<typeof start>) {
  const result = await start(...args).ended;
  const failed = /Can't recognize|spawn UNKNOWN/.test(result.stderr + result.stdout);
  return failed ? start(...args).ended : result;
}
