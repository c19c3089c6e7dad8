// `npm run dev`: compiles src/, and restarts the server when dist/ or public/ changes.
const { spawn } = require('node:child_process');
const { readdirSync, statSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..');
const program = join('dist', 'server.js');
const start = (...args) => spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
const compiler = start(require.resolve('typescript/bin/tsc'), '--watch', '--preserveWatchOutput');
const { ppid } = process;
let server, seen, served;

/** The names and times of all files that the server loads. */
function look() {
  const files = ['dist', 'public'].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => join(folder, name)));
  return files.map((file) => `${file} ${statSync(join(root, file)).mtimeMs}`).join('\n');
}

function restart() {
  server = start(program);
}

setInterval(() => {
  // A signal can end npm and its shell, but not this process. Then its parent changes.
  if (process.ppid !== ppid) process.exit();
  let files;
  try { files = look(); } catch { return; } // A build or a clean is running: try again.
  // A build writes many files: wait until nothing has changed since the last look.
  if (files === seen && files !== served && files.includes(program)) {
    served = files;
    if (server?.exitCode === null && server.kill('SIGKILL')) server.once('exit', restart);
    else restart();
  }
  seen = files;
}, 200);

process.on('exit', () => [compiler, server].forEach((child) => child?.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit());
