// `npm run build` compiles src/ into dist/; with `test`, also the tests into .test/.
const { spawnSync } = require('node:child_process');
const { existsSync, readdirSync, rmSync } = require('node:fs');
const { join } = require('node:path');

process.chdir(join(__dirname, '..'));
const isTest = process.argv[2] === 'test';
const projects = isTest ? ['.', 'test/page.tsconfig.json', 'test'] : ['.'];
const folders = isTest ? [['src', 'dist'], ['test', '.test']] : [['src', 'dist']];
// Neither the examples, which are compiled elsewhere, nor the types of the page's scripts.
const list = (folder) => (existsSync(folder) ? readdirSync(folder, { recursive: true }) : [])
  .filter((name) => !/^(examples|public)/.test(name));

for (const [from, to] of folders) {
  const sources = list(from).filter((name) => /(?<!\.d)\.ts$/.test(name));
  const lost = sources.filter((name) => !existsSync(join(to, name.replace(/ts$/, 'js'))));
  // Without a source, a file is left over: a deleted test must not run.
  const leftOver = list(to).filter((name) => {
    const [, source] = /^(.*)\.(?:js|js\.map|d\.ts)$/.exec(name) ?? [];
    return source && !['ts', 'js'].some((type) => existsSync(join(from, `${source}.${type}`)));
  });
  for (const name of leftOver) rmSync(join(to, name));
  // The compiler does not look for its output. Let it forget what it has compiled.
  if (lost.length + leftOver.length > 0) {
    for (const folder of ['dist', '.test']) rmSync(join(folder, '.tsbuildinfo'), { force: true });
  }
}
try {
  const args = [require.resolve('typescript/bin/tsc'), '-b', ...projects];
  process.exitCode = spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1;
} catch {
  console.error('The compiler is missing. Run npm install --include=dev.');
  process.exitCode = 1;
}
