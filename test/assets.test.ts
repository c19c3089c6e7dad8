import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { loadAssets } from '../dist/assets.js';

describe('assets', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'dante-assets-'));
  after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'index.html'), '<p>à</p>');
  writeFileSync(join(folder, 'again.html'), '<p>à</p>');
  writeFileSync(join(folder, 'other.bin'), '');
  writeFileSync(join(folder, 'my café @2x (1) 100%.JPG'), '');
  mkdirSync(join(folder, 'folder'));
  writeFileSync(join(folder, 'folder', 'inner.html'), 'inner');
  const assets = loadAssets(folder);

  test('every file of the folder is there by its name as a browser sends it, those of subfolders are not', () => {
    assert.deepEqual([...assets.keys()].sort(), ['again.html', 'index.html', 'my%20caf%C3%A9%20@2x%20(1)%20100%25.JPG', 'other.bin']);
  });

  test('a file has its bytes, their number, and its type with the charset', () => {
    const asset = assets.get('index.html');
    assert.deepEqual(asset?.body, Buffer.from('<p>à</p>'));
    assert.equal(asset?.headers['Content-Length'], 9);
    assert.equal(asset?.headers['Content-Type'], 'text/html; charset=utf-8');
  });

  test('what a page is likely to need has a type, in capitals too', () => {
    assert.equal(assets.get('my%20caf%C3%A9%20@2x%20(1)%20100%25.JPG')?.headers['Content-Type'], 'image/jpeg');
    for (const name of ['a.mjs', 'a.map', 'a.txt', 'a.ico', 'a.png', 'a.webp', 'a.svg', 'a.json', 'a.css']) {
      writeFileSync(join(folder, name), '');
      assert.notEqual(loadAssets(folder).get(name)?.headers['Content-Type'], 'application/octet-stream', name);
      rmSync(join(folder, name));
    }
  });

  test('a file of an unknown kind is a download, not a guess', () => {
    assert.equal(assets.get('other.bin')?.headers['Content-Type'], 'application/octet-stream');
  });

  test('the ETag is strong and tells contents apart', () => {
    const [html, again, other] = ['index.html', 'again.html', 'other.bin'].map((name) => assets.get(name)?.headers.ETag);
    assert.match(html ?? '', /^"[\w-]+"$/);
    assert.equal(html, again);
    assert.notEqual(html, other);
  });

  test('a folder that is not there is an error that names it', () => {
    assert.throws(() => loadAssets(join(folder, 'missing')), /missing/);
  });
});
