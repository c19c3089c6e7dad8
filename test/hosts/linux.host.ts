import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { behaviours, siteAt, whole } from '../support/behaviours.js';
import { installNode, type Binaries } from '../support/binaries.js';
import { startServer } from '../support/program.js';
import { openReader } from '../support/reader.js';

const MAJORS = [18, 20, 22, 24, 26];

describe('Node on Linux', { timeout: 300_000 }, () => {
  let binaries: Binaries;
  before(() => void (binaries = installNode('linux', MAJORS)));
  after(() => binaries?.remove());

  for (const major of MAJORS) {
    test(`Node ${major}: all of it, SIGTERM closes the readers with 4001 and exits with 0, stderr is empty`, async (t) => {
      const node = binaries.path(major);
      assert.match(execFileSync(node, ['--version']).toString(), new RegExp(`^v${major}\\.`));
      const env = { INTERVAL_MS: '10', NODE_OPTIONS: '--trace-warnings --trace-deprecation' };
      const quick = await startServer(env, { node: [node] });
      t.after(() => quick.child.kill('SIGKILL'));
      const site = siteAt(quick.port, '/dante/server-faye.js');
      for (const { check } of [...behaviours, whole]) await check(site);
      // At a pace at which nobody comes to the end meanwhile.
      const { child, output, port, exited } = await startServer({ ...env, INTERVAL_MS: '60000' }, { node: [node] });
      t.after(() => child.kill('SIGKILL'));
      const readers = Array.from({ length: 50 }, () => openReader(`ws://127.0.0.1:${port}/ws`));
      await Promise.all(readers.map(({ opened }) => opened));
      child.kill('SIGTERM');
      for (const { closed } of readers) assert.equal((await closed).code, 4001);
      assert.equal(await exited, 0);
      assert.equal(quick.output.stderr + output.stderr, '');
    });
  }
});
