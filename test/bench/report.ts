/** Runs inside every process that the benchmark starts (`--require`): it ends with the benchmark. */
process.on('disconnect', () => process.exit());

// Where there is no /proc, a server tells what it has used; memory in bytes, CPU in microseconds.
process.on('message', (message) => {
  if (message !== 'usage') return;
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuUs: user + system, rss: process.memoryUsage.rss() });
});
