import './support/bounds.js';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSettings } from '../dist/settings.js';

const DEFAULTS = { listen: { port: 8888, host: '' }, intervalMs: 2000, allowedOrigins: new Set() };
const PIPE = '\\\\.\\pipe\\7a2c9d41-5c5e';
const LIST = 'https://a.example, http://B.example:8080,https://c.example:443,';
const ORIGINS = ['https://a.example', 'http://b.example:8080', 'https://c.example'];
test('settings come from the environment, or are the defaults', () => {
  for (const [env, changes] of [
    [{ PORT: '', HOST: ' ', INTERVAL_MS: ' ', ALLOWED_ORIGINS: ' ' }, {}],
    [{ PORT: '0', INTERVAL_MS: '1' }, { listen: { port: 0, host: '' }, intervalMs: 1 }],
    [{ PORT: '65535 ', HOST: ' localhost' }, { listen: { port: 65535, host: 'localhost' } }],
    [{ PORT: './dante.sock', HOST: 'localhost' }, { listen: { path: './dante.sock' } }],
    [{ PORT: PIPE, INTERVAL_MS: ' 60000 ' }, { listen: { path: PIPE }, intervalMs: 60_000 }],
    [{ ALLOWED_ORIGINS: LIST }, { allowedOrigins: new Set(ORIGINS) }],
  ] as const) {
    assert.deepEqual(readSettings(env), { ...DEFAULTS, ...changes });
  }
});

const NUMBERS = ['-1', '+80', '80.5', '1e3', '0x50', '8 0', 'http', '8888x', '８０'];
const SOCKET = 'a socket such as /run/dante.sock, or a pipe such as \\\\.\\pipe\\dante';
const NO_ORIGINS = ['a.example', '*', 'https://a/page', 'https://a?x', 'ftp://a', 'https://u@a'];
for (const [name, values, accepted] of [
  ['PORT', ['65536', ...NUMBERS], `a whole number from 0 to 65535, or ${SOCKET}`],
  ['INTERVAL_MS', ['0', '60001', ...NUMBERS], 'a whole number from 1 to 60000'],
  ['ALLOWED_ORIGINS', NO_ORIGINS, 'an origin such as https://a.example:8443'],
] as const) {
  test(`${name} must be ${accepted}`, () => {
    for (const value of values) {
      const message = `${name}: ${JSON.stringify(value)} is not ${accepted}.`;
      assert.throws(() => readSettings({ [name]: value }), { message });
    }
  });
}
