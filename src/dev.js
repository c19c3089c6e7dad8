// `npm run dev`: compiles src/, and restarts the server after each change of src/ or public/.
const { spawn } = require('node:child_process');
const { watch } = require('node:fs');
const { join } = require('node:path');
const { findCompiler } = require('./compiler.js');

const root = join(__dirname, '..');
const start = (stdio, ...args) => spawn(process.execPath, args, { cwd: root, stdio });
const { ppid } = process;
let server, soon;
let isStarting = false; // Whether the server is started again when it has ended.

function restart() {
  isStarting = true;
  if (server) return server.kill('SIGKILL');
  isStarting = false;
  server = start('inherit', join('src', 'start.js')).on('exit', () => {
    server = undefined;
    if (isStarting) restart();
  });
}

const options = ['--watch', '--preserveWatchOutput', '--pretty'];
const compiler = start(['ignore', 'pipe', 'inherit'], findCompiler(), ...options);
compiler.stdout.on('data', (text) => {
  process.stdout.write(text);
  if (String(text).includes('Watching for file changes')) restart();
});
try {
  watch(join(root, 'public'), () => {
    clearTimeout(soon);
    soon = setTimeout(restart, 100); // An editor may write a file in several steps.
  });
} catch ({ message }) {
  // On Linux, ENOSPC means that sysctl fs.inotify.max_user_watches is used up.
  console.error(`Restart npm run dev after changes of public/, which it cannot watch: ${message}`);
}

// A signal can end npm and its shell, but not this process. Then its parent changes.
setInterval(() => {
  if (process.ppid !== ppid) process.exit();
}, 200);
process.on('exit', () => [compiler, server].forEach((child) => child?.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit());
