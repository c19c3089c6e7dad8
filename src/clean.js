// Runs before every build: what came from a source that is gone must not live on.
const { rmSync } = require('node:fs');
const { join } = require('node:path');

for (const folder of ['dist', '.test']) {
  rmSync(join(__dirname, '..', folder), { recursive: true, force: true });
}
