import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Node.js of several major versions, from the npm registry, in a folder of its own. */
export interface Binaries {
  folder: string;
  path(major: number): string;
  remove(): void;
}

/** Installs Node.js for `linux` or `win`. Throws what npm says if the registry has it not. */
export function installNode(system: 'linux' | 'win', majors: number[]): Binaries {
  const folder = mkdtempSync(join(tmpdir(), 'dante-node-'));
  const packages = majors.map((major) => `node${major}@npm:node-${system}-x64@${major}`);
  // --force: a package for Windows is not for this system, as npm sees it.
  const options = ['--no-save', '--no-audit', '--no-fund', '--force', '--prefix', folder];
  execFileSync('npm', ['install', ...options, ...packages], { stdio: 'pipe' });
  return {
    folder,
    path: (major) => join(folder, 'node_modules', `node${major}`, 'bin', system === 'win' ? 'node.exe' : 'node'),
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }),
  };
}
