// `npm run dev`: compiles src/, and restarts the server after each change of src/ or public/.
const { spawn } = require('node:child_process');
const { watch } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..');
const start = (stdio, ...args) => spawn(process.execPath, args, { cwd: root, stdio });
const { ppid } = process;
let server, soon;

function restart() {
  const run = () => (server = start('inherit', join('src', 'start.js')));
  if (server?.exitCode === null && server.kill('SIGKILL')) server.once('exit', run);
  else run();
}

const tsc = require.resolve('typescript/bin/tsc');
const options = ['--watch', '--preserveWatchOutput', '--pretty'];
const compiler = start(['ignore', 'pipe', 'inherit'], tsc, ...options);
compiler.stdout.on('data', (text) => {
  process.stdout.write(text);
  if (String(text).includes('Watching for file changes')) restart();
});
// An editor may write a file in several steps.
watch(join(root, 'public'), () => {
  clearTimeout(soon);
  soon = setTimeout(restart, 100);
});

// A signal can end npm and its shell, but not this process. Then its parent changes.
setInterval(() => process.ppid === ppid || process.exit(), 200);
process.on('exit', () => [compiler, server].forEach((child) => child?.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit());
