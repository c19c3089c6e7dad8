import '../support/bounds.js';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { canto1 } from '../../dist/poem/canto1.js';

test('the text equals the translation of 1867', () => {
  // The digest is of the text with straight quotes.
  const text = canto1.join('\n\n').replace(/[‘’]/g, "'").replace(/[“”]/g, '"');
  const digest = '2f4a1a4280a063b05c70c7384834395508d9801b39404927584ea8cc0c3f3b08';
  assert.equal(createHash('sha256').update(text).digest('hex'), digest);
});
