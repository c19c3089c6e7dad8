// `npm start` and server-faye.js: loads the program, or says in one line what is missing.
try {
  require('../dist/server.js');
} catch (error) {
  if (error.code !== 'MODULE_NOT_FOUND') throw error;
  const [reason] = error.message.split('\n');
  const command = /'\.{1,2}\//.test(reason) ? 'npm run build' : 'npm install';
  console.error(`${reason}. Run ${command} in ${require('node:path').dirname(__dirname)}.`);
  process.exit(1);
}
