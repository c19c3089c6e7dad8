import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { utimesSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { canto1 } from '../../dist/canto1.js';
import { behaviours } from '../support/behaviours.js';
import { installNode, type Binaries } from '../support/binaries.js';
import { Iis } from '../support/iis.js';
import { startServer } from '../support/program.js';
import { openReader } from '../support/reader.js';
import { copySite } from '../support/site.js';
import { until } from '../support/until.js';

const MAJORS = [18, 20, 22, 24, 26];

describe('Node on Linux', () => {
  let binaries: Binaries;
  before(() => void (binaries = installNode('linux', MAJORS)));
  after(() => binaries?.remove());

  for (const major of MAJORS) {
    describe(`Node ${major}`, () => {
      test('is what it says', () => {
        assert.match(execFileSync(binaries.path(major), ['--version']).toString(), new RegExp(`^v${major}\\.`));
      });

      test('in IIS: all of it, and a deployment in the middle of the canto cuts nobody off', async (t) => {
        const root = copySite(t);
        const env = { INTERVAL_MS: '10' };
        const iis = await Iis.start({ root, node: binaries.path(major), env, timeScale: 200 });
        t.after(() => iis.close());
        for (const { check } of behaviours) await check({ port: iis.port, mount: '/dante/server-faye.js' });
        assert.equal(iis.started, 1);
        const url = `ws://127.0.0.1:${iis.port}/dante/server-faye.js/ws`;
        const old = openReader(url);
        await old.opened;
        utimesSync(join(root, 'dist', 'server.js'), new Date(), new Date(Date.now() + 5000));
        await until(async () => (await openReader(`${url}?from=46`).closed) && iis.started === 2, 'a new process');
        assert.equal((await old.closed).code, 1000);
        assert.deepEqual(old.stanzas, canto1);
      });

      test('self-hosted: all of it, and SIGTERM closes the readers with 4001 and exits with 0', async (t) => {
        const { child, port, exited } = await startServer({ INTERVAL_MS: '10' }, { node: [binaries.path(major)] });
        t.after(() => child.kill('SIGKILL'));
        for (const { check } of behaviours) await check({ port, mount: '' });
        const readers = Array.from({ length: 50 }, () => openReader(`ws://127.0.0.1:${port}/ws`));
        await Promise.all(readers.map(({ opened }) => opened));
        child.kill('SIGTERM');
        for (const { closed } of readers) assert.equal((await closed).code, 4001);
        assert.equal(await exited, 0);
      });
    });
  }
});
