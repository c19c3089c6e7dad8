// Removes the compiled tests before they are compiled again: a deleted test must not run.
const { rmSync } = require('node:fs');
const { join } = require('node:path');

rmSync(join(__dirname, '..', '.test'), { recursive: true, force: true });
