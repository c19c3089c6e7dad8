import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { canto1 } from '../dist/canto1.js';
import { ROOT, startServer } from './support/program.js';

const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');

/** The contents of the fenced blocks of one language. */
const blocks = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'gm'))].map(([, text]) => text ?? '');

describe('README', () => {
  test('its client prints the rest of the canto and the close code', async (t) => {
    const { child, port } = await startServer({ INTERVAL_MS: '5' });
    t.after(() => child.kill('SIGKILL'));
    const [example = ''] = blocks('js');
    const program = example.replace('localhost:8888', `127.0.0.1:${port}`);
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', program], { cwd: ROOT });
    const stanzas = canto1.slice(40).map((stanza) => `${stanza}\n\n`);
    assert.equal(stdout, `${stanzas.join('')}1000 \n`);
  });

  test('every command in it is run before a change lands', () => {
    const checks = readFileSync(join(ROOT, '.ci', 'run'), 'utf8');
    const commands = blocks('sh').flatMap((block) => block.trim().split('\n'));
    assert.ok(commands.length >= 5);
    for (const command of commands) assert.ok(checks.includes(` '${command}'`), command);
  });

  test('every file that it names is there', () => {
    const links = [...readme.matchAll(/\]\(([^)#:]+)\)|src="([^"]+)"|`((?:src|public|test)\/[\w./-]+)`/g)];
    assert.ok(links.length >= 10);
    for (const [, link, image, code] of links) {
      const path = link ?? image ?? code ?? '';
      assert.ok(existsSync(join(ROOT, path)), path);
    }
  });

  test('every line of web.config has its row', () => {
    const config = readFileSync(join(ROOT, 'web.config'), 'utf8').replace(/<!--[^]*?-->/g, '');
    for (const name of config.matchAll(/<(webSocket|clear|add) |(\w+)="(?!1\.0|utf-8)/g)) {
      const word = name[1] ?? name[2] ?? '';
      if (!['enabled', 'name', 'path', 'verb', 'modules'].includes(word)) {
        assert.match(readme, new RegExp(`^\\| \`.*${word}.*\` \\|`, 'm'));
      }
    }
  });

  test('every source file has its row', () => {
    for (const row of ['server', 'app', 'recital', 'metronome', 'assets', 'settings', 'canto1']) {
      assert.match(readme, new RegExp(`^\\| \`src/${row}\\.ts\` \\|`, 'm'));
    }
  });
});
