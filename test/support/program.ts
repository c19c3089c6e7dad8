import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { kill, track } from './bounds.js';
import { until } from './client.js';

export const ROOT = join(__dirname, '..', '..');
export const SERVER = join(ROOT, 'dist', 'server.js');

/** Runs `node ARGS`. `output` is what it has printed so far; `exited` is its exit code. */
export function runNode(args: string[], env: NodeJS.ProcessEnv = {}, cwd = ROOT) {
  const all = { ...process.env, FORCE_COLOR: undefined, ...env };
  const child = track(spawn(process.execPath, args, { cwd, env: all }));
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (output.stdout += chunk));
  child.stderr.on('data', (chunk) => (output.stderr += chunk));
  const exited = once(child, 'close').then(([code]: (number | null)[]) => code);
  return { child, output, exited };
}

/** Runs the server on a free port, in any working directory, until the test ends. */
export async function startServer(t: TestContext, env = {}, args = [SERVER]) {
  const program = runNode(args, { PORT: '0', ...env }, tmpdir());
  t.after(async () => {
    kill(program.child);
    await program.exited;
  });
  const port = await until(() => {
    if (program.child.exitCode !== null) throw new Error(program.output.stderr);
    return /:(\d+)\/\n$/.exec(program.output.stdout)?.[1];
  }, 'the server to listen');
  return { ...program, port: Number(port) };
}
