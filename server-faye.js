// The entry point under IIS. iisnode loads it with require(), so it is CommonJS.
try {
  require('./dist/server.js');
} catch (error) {
  if (error.code !== 'MODULE_NOT_FOUND') throw error;
  const [reason] = error.message.split('\n');
  console.error(`${reason}. Run npm install in ${__dirname}.`);
  process.exitCode = 1;
}
