// What IIS runs. iisnode require()s it, so it is CommonJS, and loading it must start the server.
try {
  require('./dist/server.js');
} catch (error) {
  if (error.code !== 'MODULE_NOT_FOUND') throw error;
  const [reason] = error.message.split('\n');
  console.error(`${reason}. Run npm install in ${__dirname}.`);
  process.exitCode = 1;
}
