const { dirname, join } = require('node:path');

/** Finds the compiler. Without one, prints a line and exits. */
exports.findCompiler = () => {
  try {
    return join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
  } catch {
    console.error('typescript is missing: install the devDependencies, then npm run build.');
    process.exit(1);
  }
};
