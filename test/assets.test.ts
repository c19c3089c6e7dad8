import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { loadAssets } from '../dist/assets.js';

describe('assets', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dante-assets-'));
  after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'index.html'), '<p>à</p>');
  writeFileSync(join(folder, 'again.html'), '<p>à</p>');
  writeFileSync(join(folder, 'other.bin'), '');
  mkdirSync(join(folder, 'folder'));
  writeFileSync(join(folder, 'folder', 'inner.html'), 'inner');
  const assets = loadAssets(folder);

  test('every file of the folder is there by its name, those of subfolders are not', () => {
    assert.deepEqual([...assets.keys()].sort(), ['again.html', 'index.html', 'other.bin']);
  });

  test('a file has its bytes, their number, and its type with the charset', () => {
    const asset = assets.get('index.html');
    assert.deepEqual(asset?.body, Buffer.from('<p>à</p>'));
    assert.equal(asset?.headers['Content-Length'], 9);
    assert.equal(asset?.headers['Content-Type'], 'text/html; charset=utf-8');
  });

  test('a file of an unknown kind is a download, not a guess', () => {
    assert.equal(assets.get('other.bin')?.headers['Content-Type'], 'application/octet-stream');
  });

  test('the ETag is strong and tells contents apart', () => {
    const [html, again, other] = ['index.html', 'again.html', 'other.bin'].map((name) => assets.get(name)?.etag);
    assert.match(html ?? '', /^"[\w-]+"$/);
    assert.equal(html, again);
    assert.notEqual(html, other);
  });

  test('a folder that is not there is an error that names it', () => {
    assert.throws(() => loadAssets(join(folder, 'missing')), /missing/);
  });
});
