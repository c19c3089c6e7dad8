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
  const outputs = sources.map((name) => join(to, name.replace(/ts$/, 'js')));
  // The compiler does not look for its output. Let it forget what it has compiled.
  if (!outputs.every(existsSync)) rmSync(join(to, '.tsbuildinfo'), { force: true });
  // Without a source, a file is left over: a deleted test must not run.
  for (const name of list(to).filter((name) => /\.(js|js\.map|d\.ts)$/.test(name))) {
    const source = join(from, name.replace(/\.(js|js\.map|d\.ts)$/, ''));
    if (!existsSync(`${source}.ts`) && !existsSync(`${source}.js`)) rmSync(join(to, name));
  }
}
try {
  const args = [require.resolve('typescript/bin/tsc'), '-b', ...projects];
  process.exitCode = spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1;
} catch {
  console.error('The compiler is missing. Run npm install --include=dev.');
  process.exitCode = 1;
}
