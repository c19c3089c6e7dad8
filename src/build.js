// `npm run build` compiles src/ into dist/; with `test`, also the tests into .test/.
const { spawnSync } = require('node:child_process');
const { existsSync, readdirSync, rmSync } = require('node:fs');
const { join } = require('node:path');
const { findCompiler } = require('./compiler.js');

process.chdir(join(__dirname, '..'));
const isTest = process.argv[2] === 'test';
const projects = isTest ? ['.', 'test/page.tsconfig.json', 'test'] : ['.'];
const folders = isTest ? [['src', 'dist'], ['test', '.test']] : [['src', 'dist']];
// Not each example is compiled, and the types of public/ have a project of their own.
const isOther = (folder, name) => /test$/.test(folder) && /^(examples|public)[\\/]/.test(name);
const list = (folder) => (existsSync(folder) ? readdirSync(folder, { recursive: true }) : [])
  .filter((name) => !isOther(folder, name));

for (const [from, to] of folders) {
  // Without a source, a file is left over: a deleted test must not run.
  const leftOver = list(to).filter((name) => {
    const [, source] = /^(.*)\.(?:js|js\.map|d\.ts)$/.exec(name) ?? [];
    return source && !['ts', 'js'].some((type) => existsSync(join(from, `${source}.${type}`)));
  });
  for (const name of leftOver) rmSync(join(to, name));
  // The compiler does not look for its output. Let it forget what it has compiled.
  const sources = list(from).filter((name) => /(?<!\.d)\.ts$/.test(name));
  if (sources.some((name) => !existsSync(join(to, name.replace(/ts$/, 'js'))))) {
    rmSync(join(to, '.tsbuildinfo'), { force: true });
  }
}
const args = [findCompiler(), '-b', ...projects];
process.exitCode = spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1;
