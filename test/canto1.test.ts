import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { canto1 } from '../dist/canto1.js';

test('the canto has 46 stanzas, 45 of three verses and one of one', () => {
  assert.deepEqual(
    canto1.map((stanza) => stanza.split('\n').length),
    [...Array<number>(45).fill(3), 1],
  );
});

test('the canto is, to the letter, that of 1867', () => {
  const text = canto1.join('\n\n');
  assert.equal(
    createHash('sha256').update(text).digest('hex'),
    '2f4a1a4280a063b05c70c7384834395508d9801b39404927584ea8cc0c3f3b08',
  );
});

test('no stanza has space at the end of a verse', () => {
  for (const stanza of canto1) assert.doesNotMatch(stanza, /^\s|\s$|[ \t]\n|\n[ \t]|\r/);
});
