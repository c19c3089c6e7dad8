// `npm run dev`: the compiler and the server, both watching, in one terminal.
const { spawn } = require('node:child_process');

const compiler = [require.resolve('typescript/bin/tsc'), '--watch', '--preserveWatchOutput'];
const server = ['--watch', 'dist/server.js'];
const children = [compiler, server].map((args) => spawn(process.execPath, args, { stdio: 'inherit' }));

function stop() {
  for (const child of children) child.kill();
  process.exit();
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);
// A signal to npm ends its shell without a word to this process, whose parent is another then.
const { ppid } = process;
setInterval(() => process.ppid === ppid || stop(), 200);
