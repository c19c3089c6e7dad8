import './support/bounds.js';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSettings } from '../dist/settings.js';

const PIPE = '\\\\.\\pipe\\7a2c9d41-5c5e';

test('missing, empty and blank variables have their defaults', () => {
  const { intervalMs, ...rest } = readSettings({});
  assert.deepEqual(rest, { listen: { port: 8888 }, allowedOrigins: new Set() });
  assert.equal(readSettings({ INTERVAL_MS: String(intervalMs) }).intervalMs, intervalMs);
  for (const blank of ['', ' ']) {
    const env = { PORT: blank, HOST: blank, INTERVAL_MS: blank, ALLOWED_ORIGINS: blank };
    assert.deepEqual(readSettings(env), readSettings({}));
  }
});

for (const [env, platform, expected] of [
  [{ PORT: '0' }, 'linux', { port: 0 }],
  [{ PORT: '65535 ', HOST: ' localhost' }, 'win32', { port: 65535, host: 'localhost' }],
  [{ PORT: '/run/dante.sock', HOST: 'localhost' }, 'linux', { path: '/run/dante.sock' }],
  [{ PORT: './dante.sock' }, 'linux', { path: './dante.sock' }],
  [{ PORT: PIPE, HOST: 'localhost' }, 'win32', { path: PIPE }],
  [{ PORT: '\\\\?\\PIPE\\x' }, 'win32', { path: '\\\\?\\PIPE\\x' }],
] as const) {
  test(`${JSON.stringify(env)} on ${platform} says where to listen`, () => {
    assert.deepEqual(readSettings(env, platform).listen, expected);
  });
}

test('INTERVAL_MS and ALLOWED_ORIGINS are read', () => {
  for (const [value, expected] of [['1', 1], ['60000', 60_000], [' 500 ', 500]] as const) {
    assert.equal(readSettings({ INTERVAL_MS: value }).intervalMs, expected);
  }
  const list = 'https://a.example, http://B.example:8080,https://c.example:443,';
  const expected = ['https://a.example', 'http://b.example:8080', 'https://c.example'];
  assert.deepEqual([...readSettings({ ALLOWED_ORIGINS: list }).allowedOrigins], expected);
});

const NUMBERS = ['65536', '-1', '+80', '80.5', '1e3', '0x50', '8 0', 'http', '8888x', '８０'];
const PORT = 'a whole number from 0 to 65535, or a p';
const ORIGINS = ['a.example', '*', 'https://a/page', 'https://a?x', 'ftp://a', 'x y', 'null'];
for (const [name, values, accepted, platform] of [
  ['PORT', NUMBERS, `${PORT}ath such as /run/dante.sock`, 'linux'],
  ['PORT', ['/x', '\\\\.\\pipe\\', `x${PIPE}`], `${PORT}ipe such as \\\\.\\pipe\\dante`, 'win32'],
  ['INTERVAL_MS', ['0', '60001', '1.5', 'soon'], 'a whole number from 1 to 60000', 'linux'],
  ['ALLOWED_ORIGINS', [...ORIGINS, 'https://u@a.example', 'xhttp://y'],
    'an origin such as https://a.example:8443', 'linux'],
] as const) {
  test(`${name} on ${platform} must be ${accepted}`, () => {
    for (const value of values) {
      const message = `${name}: ${JSON.stringify(value)} is not ${accepted}.`;
      assert.throws(() => readSettings({ [name]: value }, platform), { message });
    }
  });
}
