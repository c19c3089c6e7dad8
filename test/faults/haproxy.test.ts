import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort } from '../support/port.js';
import { ROOT, startServer } from '../support/program.js';
import { connectReal, loadReading } from '../support/reading.js';
import { MESSAGES, sharedSite } from '../support/site.js';
import { until } from '../support/until.js';

const haproxy = ['/usr/sbin/haproxy', '/usr/local/sbin/haproxy', '/usr/bin/haproxy', '/opt/homebrew/bin/haproxy'].find(existsSync);
const missing = !haproxy && 'no HAProxy: install it, Debian has it as haproxy';
if (missing && process.env['CI']) throw new Error(missing);

test('behind HAProxy as README.md has it, each of two servers goes and returns: each reader ends complete', { skip: missing, timeout: 90_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'dante-'));
  t.after(() => rmSync(folder, { recursive: true, maxRetries: 5 }));
  const start = async (port: number) => {
    const { child } = await startServer({ INTERVAL_MS: '60', PORT: String(port) }, { root: sharedSite() });
    t.after(() => child.kill('SIGKILL'));
    return child;
  };
  const [front, portOne, portTwo] = [await freePort(), await freePort(), await freePort()];
  const [one, two] = [await start(portOne), await start(portTwo)];
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const config = /^```haproxy\n([^]*?)^```$/m.exec(readme)?.[1];
  assert.ok(config);
  const ports = new Map([['8080', front], ['8881', portOne], ['8882', portTwo]]);
  writeFileSync(join(folder, 'haproxy.cfg'), config.replace(/(?<=127\.0\.0\.1:)\d+/g, (port) => String(ports.get(port))));
  const balancer = spawn(String(haproxy), ['-f', join(folder, 'haproxy.cfg')], { stdio: 'ignore' });
  t.after(() => balancer.kill('SIGKILL'));
  const url = `127.0.0.1:${front}/ws`;
  await until(() => fetch(`http://${url}`).then(({ status }) => status === 426, () => false), 'HAProxy to serve');

  const Reading = await loadReading();
  const readers = Array.from({ length: 40 }, () => {
    const told: string[] = [];
    const froms: number[] = [];
    const ended = new Promise<void>((resolve, reject) => {
      const reading = new Reading({
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
      });
      t.after(() => reading.pause());
      reading.resume();
    });
    return { told, froms, ended };
  });
  // Each in its turn: how HAProxy has spread the readers is its own affair.
  for (const [server, port, count] of [[one, portOne, 5], [two, portTwo, 15]] as const) {
    await until(() => readers.every(({ told }) => told.length >= count), `message ${count}`);
    server.kill('SIGKILL');
    await once(server, 'exit');
    await until(() => readers.every(({ told }) => told.length >= count + 5), `message ${count + 5}`);
    await start(port);
  }
  await Promise.all(readers.map(({ ended }) => ended));
  for (const { told } of readers) assert.deepEqual(told, MESSAGES);
  assert.ok(readers.some(({ froms }) => froms.length > 1), 'a server went that had readers');
});
