import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT, startServer } from '../support/program.js';
import { connectReal, loadReading } from '../support/reading.js';
import { MESSAGES, sharedSite } from '../support/site.js';
import { until } from '../support/until.js';

const haproxy = ['/usr/sbin/haproxy', '/usr/local/sbin/haproxy', '/usr/bin/haproxy', '/opt/homebrew/bin/haproxy'].find(existsSync);
const missing = !haproxy && 'no HAProxy: install it, Debian has it as haproxy';
if (missing && process.env['CI']) throw new Error(missing);

/** A port that was free a moment ago. */
const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo; // As it listens on a port.
      server.close(() => resolve(port));
    });
  });

test('behind HAProxy as README.md has it, one of two servers goes and returns: each reader ends complete', { skip: missing, timeout: 60_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'dante-'));
  t.after(() => rmSync(folder, { recursive: true, maxRetries: 5 }));
  const start = async (port = 0) => {
    const server = await startServer({ INTERVAL_MS: '60', PORT: String(port) }, { root: sharedSite() });
    t.after(() => server.child.kill('SIGKILL'));
    return server;
  };
  const [one, two] = [await start(), await start()];
  const front = await freePort();
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const config = /^```haproxy\n([^]*?)^```$/m.exec(readme)?.[1];
  assert.ok(config);
  const ports = new Map([['8080', front], ['8881', one.port], ['8882', two.port]]);
  writeFileSync(join(folder, 'haproxy.cfg'), config.replace(/(?<=127\.0\.0\.1:)\d+/g, (port) => String(ports.get(port))));
  const balancer = spawn(String(haproxy), ['-f', join(folder, 'haproxy.cfg')], { stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(() => balancer.kill('SIGKILL'));
  const url = `127.0.0.1:${front}/ws`;
  await until(() => fetch(`http://${url}`).then(({ status }) => status === 426, () => false), 'HAProxy to serve');

  const Reading = await loadReading();
  const readers = Array.from({ length: 40 }, () => {
    const told: string[] = [];
    const froms: number[] = [];
    const ended = new Promise<void>((resolve, reject) => {
      new Reading({
        total: MESSAGES.length,
        connect: (from) => {
          froms.push(from);
          return connectReal(`ws://${url}?from=${from}`);
        },
        probe: async () => 0,
        onMessage: (message) => told.push(message),
        onState: ({ name }) => {
          if (name === 'ended') resolve();
          if (name === 'refused') reject(new Error('It was refused.'));
        },
      }).resume();
    });
    return { told, froms, ended };
  });
  await until(() => readers.every(({ told }) => told.length >= 5), 'all to have heard something');
  one.child.kill('SIGKILL');
  await until(() => readers.filter(({ froms }) => froms.length > 1).length >= 10, 'readers to come back');
  await start(one.port);
  await Promise.all(readers.map(({ ended }) => ended));
  for (const { told } of readers) assert.deepEqual(told, MESSAGES);
  const moved = readers.filter(({ froms }) => froms.length > 1).length;
  assert.ok(moved >= 10 && moved <= 30, `${moved} of 40 readers were on the server that went`);
});
