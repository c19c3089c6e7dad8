import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readSettings } from '../dist/settings.js';

describe('settings', { timeout: 60_000 }, () => {
  test('without any, the defaults hold', () => {
    const { intervalMs, ...rest } = readSettings({});
    assert.deepEqual(rest, { listen: { port: 8888 }, allowedOrigins: new Set() });
    // Whatever it is, it must be one that the variable could set.
    assert.equal(readSettings({ INTERVAL_MS: String(intervalMs) }).intervalMs, intervalMs);
  });

  test('an empty variable counts as left out', () => {
    const empty = { PORT: '', HOST: '', INTERVAL_MS: '', ALLOWED_ORIGINS: '' };
    assert.deepEqual(readSettings(empty), readSettings({}));
  });

  test('a blank one does too, and space around a value is dropped', () => {
    assert.deepEqual(readSettings({ PORT: ' ', ALLOWED_ORIGINS: ' ' }), readSettings({}));
    assert.equal(readSettings({ INTERVAL_MS: '500 ' }).intervalMs, 500);
    assert.deepEqual(readSettings({ PORT: '80 ', HOST: 'localhost ' }).listen, { port: 80, host: 'localhost' });
  });

  for (const [value, listen] of [
    ['0', { port: 0 }],
    ['80', { port: 80 }],
    ['65535', { port: 65535 }],
    ['\\\\.\\pipe\\7a2c9d41-5c5e', { path: '\\\\.\\pipe\\7a2c9d41-5c5e' }],
    ['/run/dante.sock', { path: '/run/dante.sock' }],
    ['./dante.sock', { path: './dante.sock' }],
  ] as const) {
    test(`PORT takes ${value}`, () => assert.deepEqual(readSettings({ PORT: value }).listen, listen));
  }

  for (const value of ['65536', '99999', '-1', '+80', '80.5', '1e3', '0x50', '8 0', 'http', '8888x', '８０']) {
    test(`PORT refuses ${JSON.stringify(value)}`, () => {
      assert.throws(() => readSettings({ PORT: value }), {
        message:
          `PORT is ${JSON.stringify(value)}, but takes a whole number from 0 to 65535, ` +
          'or a pipe name or socket path such as \\\\.\\pipe\\dante or /run/dante.sock.',
      });
    });
  }

  test('HOST goes with a port and not with a path', () => {
    const env = { PORT: '80', HOST: '127.0.0.1' };
    assert.deepEqual(readSettings(env).listen, { port: 80, host: '127.0.0.1' });
    assert.deepEqual(readSettings({ ...env, PORT: '/x.sock' }).listen, { path: '/x.sock' });
  });

  for (const [value, intervalMs] of [['1', 1], ['2000', 2000], ['60000', 60_000]] as const) {
    test(`INTERVAL_MS takes ${value}`, () => {
      assert.equal(readSettings({ INTERVAL_MS: value }).intervalMs, intervalMs);
    });
  }

  for (const value of ['0', '60001', '-5', '1.5', 'soon', '2s', '1e3', '99999999999999999999', 'NaN']) {
    test(`INTERVAL_MS refuses ${value}`, () => {
      assert.throws(() => readSettings({ INTERVAL_MS: value }), {
        message: `INTERVAL_MS is "${value}", but takes a whole number from 1 to 60000.`,
      });
    });
  }

  test('ALLOWED_ORIGINS takes origins, with spaces, capitals and default ports forgiven', () => {
    const { allowedOrigins } = readSettings({
      ALLOWED_ORIGINS: 'https://a.example, http://B.example:8080,https://c.example:443',
    });
    assert.deepEqual(
      [...allowedOrigins],
      ['https://a.example', 'http://b.example:8080', 'https://c.example'],
    );
  });

  for (const value of ['a.example', '*', 'https://a.example/page', 'https://a.example?x', 'ftp://a.example', 'null', 'https://u@a.example', 'x y']) {
    test(`ALLOWED_ORIGINS refuses ${JSON.stringify(value)}`, () => {
      assert.throws(() => readSettings({ ALLOWED_ORIGINS: `https://ok.example,${value}` }), {
        message:
          `ALLOWED_ORIGINS has ${JSON.stringify(value)}, but takes origins separated by commas, ` +
          'such as https://a.example,https://b.example:8443.',
      });
    });
  }
});
