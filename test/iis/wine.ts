import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The path by which a Windows program knows a file of this system. */
export const windowsPath = (path: string): string => `Z:${path.replaceAll('/', '\\')}`;

/** A Windows program that has ended, and what it printed. */
export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** A Windows program that runs. */
export interface Running {
  child: ChildProcess;
  output(): string;
  ended: Promise<Ended>;
}

/** A Windows of its own, made by Wine in a temporary folder; its processes end with `remove()`. */
export class Wine {
  readonly folder = mkdtempSync(join(tmpdir(), 'dante-wine-'));
  readonly #prefix = join(this.folder, 'prefix');
  #runs = 0;

  constructor() {
    mkdirSync(this.#prefix);
    // Some of the registry lasts only as long as the server does, so it stays until the end.
    this.#call('wineserver', '-p');
    this.#call('wineboot', '-i');
    // Node refuses to start on the Windows that Wine pretends to be by default.
    this.#call('winecfg', '-v', 'win10');
  }

  /** The path on this system of a file on drive C. */
  drive(...parts: string[]): string {
    return join(this.#prefix, 'drive_c', ...parts);
  }

  /** Starts a program, its input empty and its output in files: node.exe cannot open Wine's pipes. */
  start(args: string[], { cwd = this.folder, env = {} as Record<string, string> } = {}): Running {
    const run = (this.#runs += 1);
    const [out, err] = [join(this.folder, `${run}.out`), join(this.folder, `${run}.err`)];
    const stdio = [openSync('/dev/null', 'r'), openSync(out, 'w'), openSync(err, 'w')];
    const child = spawn('wine', args, { cwd, stdio, env: { ...this.#env(), ...env } });
    for (const file of stdio) closeSync(file);
    const ended = new Promise<Ended>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code) => {
        resolve({ code: code ?? -1, stdout: readFileSync(out, 'utf8'), stderr: readFileSync(err, 'utf8') });
      });
    });
    return { child, output: () => readFileSync(out, 'utf8'), ended };
  }

  remove(): void {
    this.#call('wineserver', '-k');
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
  }

  #env(): NodeJS.ProcessEnv {
    return { ...process.env, WINEPREFIX: this.#prefix, WINEDEBUG: '-all', LC_ALL: 'C.UTF-8' };
  }

  #call(command: string, ...args: string[]): void {
    execFileSync(command, args, { env: this.#env(), stdio: 'ignore', timeout: 120_000 });
  }
}
