import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { loadAssets } from '../dist/assets.js';

const NAMES = ['index.html', 'again.html', 'other.bin', 'my café @2x (1) 100%.JPG'];
const ENCODED = 'my%20caf%C3%A9%20@2x%20(1)%20100%25.JPG';
/** Besides these, what a page is likely to need. */
const EXTENSIONS = ['css', 'ico', 'jpg', 'js', 'json', 'map', 'mjs', 'png', 'svg', 'txt', 'webp'];

describe('assets', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'dante-assets-'));
  after(() => rmSync(folder, { recursive: true }));
  for (const name of NAMES) writeFileSync(join(folder, name), name.endsWith('.html') ? '<p>à</p>' : '');
  for (const extension of EXTENSIONS) writeFileSync(join(folder, `a.${extension}`), '');
  mkdirSync(join(folder, 'folder'));
  writeFileSync(join(folder, 'folder', 'inner.html'), 'inner');
  const assets = loadAssets(folder);

  /** Asks for a file as the app does. */
  async function get(name: string): Promise<Response> {
    const asset = assets.get(name);
    assert.ok(asset, name);
    const server = createServer(asset);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      return await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    } finally {
      server.close();
    }
  }
  const typeOf = async (name: string): Promise<string | null> => (await get(name)).headers.get('content-type');

  test('every file of the folder is there by its name as a browser sends it, those of subfolders are not', () => {
    const plain = NAMES.slice(0, 3).concat(EXTENSIONS.map((extension) => `a.${extension}`));
    assert.deepEqual([...assets.keys()].sort(), [...plain, ENCODED].sort());
  });

  test('a file has its bytes, their number, and its type with the charset', async () => {
    const response = await get('index.html');
    assert.equal(response.headers.get('content-length'), '9');
    assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8');
    assert.equal(await response.text(), '<p>à</p>');
  });

  test('what a page is likely to need has a type, in capitals too', async () => {
    assert.equal(await typeOf(ENCODED), 'image/jpeg');
    for (const extension of EXTENSIONS) {
      assert.match((await typeOf(`a.${extension}`)) ?? '', /^(text|image|application\/json)/, extension);
    }
  });

  test('a file of an unknown kind is a download, not a guess', async () => {
    assert.equal(await typeOf('other.bin'), 'application/octet-stream');
  });

  test('the ETag is strong and tells contents apart', async () => {
    const [html, again, other] = await Promise.all(
      ['index.html', 'again.html', 'other.bin'].map(async (name) => (await get(name)).headers.get('etag')),
    );
    assert.match(html ?? '', /^"[\w-]+"$/);
    assert.equal(html, again);
    assert.notEqual(html, other);
  });

  test('a folder that is not there is an error that names it', () => {
    assert.throws(() => loadAssets(join(folder, 'missing')), /missing/);
  });
});
