/** A Windows made by Wine in a temporary folder, which goes when this process exits. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** The project's folder, as seen from .test/hosts. */
export const ROOT = join(__dirname, '..', '..');
/** The node.exe files to test with, newest first, separated as in PATH. */
export const NODE_EXES = (process.env['NODE_EXES'] ?? '').split(delimiter).filter(Boolean);
if (NODE_EXES.length === 0) throw new Error('NODE_EXES is empty: list node.exe files there.');

export const folder = mkdtempSync(join(tmpdir(), 'dante-wine-'));
/** The path on this system of a file on drive C. */
export const drive = (...parts: string[]): string => join(folder, 'drive_c', ...parts);
// Without what changes how programs behave: CI, NODE_OPTIONS, NODE_TEST_CONTEXT and more.
const ENV = {
  PATH: process.env['PATH'], HOME: process.env['HOME'], LC_ALL: 'C.UTF-8',
  WINEPREFIX: folder, WINEDEBUG: '-all',
};
const call = (command: string, ...args: string[]) =>
  execFileSync(command, args, { env: ENV, stdio: 'ignore', timeout: 60_000 });

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
process.on('exit', () => {
  call('wineserver', '-k');
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
});
call('wineserver', '-p'); // Volatile registry keys last as long as the server.
call('wineboot', '-i');
call('winecfg', '-v', 'win10'); // Node.js refuses to start on Wine's default Windows.

/** Starts a program, input from nul, output to files: node.exe cannot open Wine's pipes. */
export function start(args: string[], cwd: string, env: NodeJS.ProcessEnv) {
  const run = mkdtempSync(join(folder, 'run-'));
  const [stdout, stderr] = [join(run, 'stdout'), join(run, 'stderr')];
  const stdio = [openSync('/dev/null', 'r'), openSync(stdout, 'w'), openSync(stderr, 'w')];
  const child = spawn('wine', args, {
    cwd, stdio, env: { ...ENV, ...env }, timeout: 300_000, killSignal: 'SIGKILL',
  });
  stdio.forEach((file) => closeSync(file));
  const read = (file: string): string => readFileSync(file, 'utf8');
  const ended = once(child, 'exit').then(([code]: (number | null)[]) =>
    ({ code, stdout: read(stdout), stderr: read(stderr) }));
  return { child, output: () => read(stdout) + read(stderr), ended };
}

/** The ids of the processes of this Windows that run node.exe. */
export function nodes(): number[] {
  return readdirSync('/proc').map(Number).filter((id) => {
    try {
      const read = (file: string): string => readFileSync(`/proc/${id}/${file}`, 'latin1');
      return read('environ').includes(folder) && /node\.exe/.test(read('cmdline'));
    } catch {
      return false; // It is no process, or has ended meanwhile.
    }
  });
}
