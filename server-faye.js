// What IIS runs. iisnode require()s it, so it is CommonJS, and loading it must start the server.
try {
  require('./dist/server.js');
} catch (error) {
  if (error.code !== 'MODULE_NOT_FOUND') throw error;
  console.error(`dante is not built yet: run npm install in ${__dirname}.`);
  process.exitCode = 1;
}
