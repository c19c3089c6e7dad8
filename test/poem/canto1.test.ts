import '../support/bounds.js';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { canto1 } from '../../dist/poem/canto1.js';
import { ROOT } from '../support/program.js';

test('the text equals the translation of 1867', () => {
  // The digest is of the text with straight quotes.
  const text = canto1.join('\n\n').replace(/[‘’]/g, "'").replace(/[“”]/g, '"');
  const digest = '2f4a1a4280a063b05c70c7384834395508d9801b39404927584ea8cc0c3f3b08';
  assert.equal(createHash('sha256').update(text).digest('hex'), digest);
});

test('the canto has curly quotes and apostrophes', () => {
  const text = canto1.join('\n');
  assert.doesNotMatch(text, /["']|\S“|”\w|“(?=\s)/);
  assert.equal(text.match(/‘/g)?.length, 1); // ‘Sub Julio’; ’Twixt has an apostrophe.
});

test('the progress bar of the page ends with the last stanza', () => {
  const page = readFileSync(`${ROOT}/public/index.html`, 'utf8');
  assert.equal(/<progress [^>]*\bmax="(\d+)"/.exec(page)?.[1], String(canto1.length));
});
