import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { join } from 'node:path';
import { until } from './until.js';

export const ROOT = join(__dirname, '..', '..');

/** The program, running as a child process. */
export interface Program {
  child: ChildProcess;
  /** What it has printed so far. */
  output: { stdout: string; stderr: string };
  /** Its exit code, or the signal that ended it. */
  exited: Promise<number | NodeJS.Signals>;
}

/** How a program is run, where it is not as usual. */
export interface RunOptions extends SpawnOptions {
  /** The program that runs it, and what goes before the script. */
  node?: string[];
  root?: string;
  script?: string;
  /** What goes behind the script. */
  args?: string[];
}

const children = new Set<ChildProcess>();
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));

/** Runs a script of the project with these variables on top of the environment. */
export function runProgram(env: Record<string, string>, options: RunOptions = {}): Program {
  const { node = [process.execPath], root = ROOT, script = 'dist/server.js', args = [], ...rest } = options;
  const [command = '', ...before] = node;
  const child = spawn(command, [...before, join(root, script), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...rest,
    env: { ...process.env, ...env },
  });
  children.add(child);
  const output = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  const exited = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      children.delete(child);
      resolve(code ?? signal ?? 'SIGKILL');
    });
  });
  return { child, output, exited };
}

/** Runs the program on a free port and resolves when it listens. */
export async function startServer(
  env: Record<string, string> = {},
  options: RunOptions = {},
): Promise<Program & { port: number }> {
  const program = runProgram({ PORT: '0', ...env }, options);
  const port = await until(() => {
    if (program.child.exitCode !== null) throw new Error(program.output.stderr);
    return /^Dante reads at http:\S+:(\d+)\/\n$/.exec(program.output.stdout)?.[1];
  }, 'the server to listen');
  return { ...program, port: Number(port) };
}
