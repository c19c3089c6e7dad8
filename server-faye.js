// The entry point under IIS. iisnode loads it with require(), so it is CommonJS.
require('./src/start.js');
