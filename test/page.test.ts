import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { canto1 } from '../dist/canto1.js';
import { ROOT } from './support/program.js';

test('index.html says how many messages canto1.ts has', () => {
  const page = readFileSync(join(ROOT, 'public', 'index.html'), 'utf8');
  const max = /<progress [^>]*\bmax="(\d+)"/.exec(page)?.[1];
  assert.ok(Number(max) === canto1.length, `index.html says ${max}, canto1.ts has ${canto1.length}`);
});
