/** README's chat on two servers behind HAProxy, with a real Redis. .ci/run starts it in a clone. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { kill, track } from '../support/bounds.js';
import { openReader } from '../support/reader.js';
import { until } from '../support/until.js';

const folder = mkdtempSync(join(tmpdir(), 'dante-redis-'));
const children = new Map<ChildProcess, Promise<unknown>>(); // And their ends.
const REDIS_URL = 'redis://127.0.0.1:6390';

/** Starts a program that ends with the test, and waits until it prints `text`. */
async function start(text: string, command: string, args: string[], env = {}) {
  const child = track(spawn(command, args, { env: { ...process.env, ...env } }));
  children.set(child, once(child, 'exit'));
  const program = { child, output: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => (program.output += chunk));
  }
  await until(() => {
    if (child.exitCode !== null) throw new Error(`${command}: ${program.output}`);
    return program.output.includes(text);
  }, `${command} to print ${text}`);
  return program;
}
const startServer = (PORT: number) =>
  start('Listening', process.execPath, ['dist/server.js'], { PORT, REDIS_URL });
const startRedis = () => start('Ready to accept', 'redis-server',
  ['--port', '6390', '--dir', folder, '--appendonly', 'yes', '--appendfsync', 'always']);

test('clients hear the list while a server is killed and Redis restarts', async (t) => {
  t.after(async () => {
    for (const child of children.keys()) kill(child);
    await Promise.all(children.values());
    rmSync(folder, { recursive: true });
  });
  const redis = await startRedis();
  const [one, two] = [await startServer(8881), await startServer(8882)];
  await start('', 'haproxy', ['-f', 'test/haproxy.cfg']);
  await until(() => fetch('http://127.0.0.1:8080/').then(({ ok }) => ok, () => false), 'HAProxy');

  /** Clients that come back after each loss, as the page does. */
  const clients = [1, 2, 3, 4].map(() => ({ heard: [] as string[], say: (_text: string) => {} }));
  let isOver = false;
  const follow = async (client: (typeof clients)[number]): Promise<void> => {
    while (!isOver) {
      const url = `ws://127.0.0.1:8080/ws?from=${client.heard.length}`;
      const { socket, closed, opened } = openReader(url, client.heard);
      await opened;
      client.say = (text) => void socket.send(text);
      await closed;
      await sleep(100);
    }
  };
  for (const client of clients) void follow(client);
  await sleep(1000);
  let again = one;
  for (let i = 1; i <= 300; i += 1) {
    clients[i % 4]?.say(`message ${i}`);
    await sleep(20);
    if (i === 60) one.child.kill('SIGKILL');
    if (i === 100) again = await startServer(8881);
    if (i === 180) redis.child.kill('SIGTERM');
    if (i === 220) await startRedis();
  }
  const list = execFileSync('redis-cli', ['-p', '6390', 'lrange', 'chat', '0', '-1']);
  const texts = String(list).trimEnd().split('\n');
  await until(() => clients.every(({ heard }) => heard.length >= texts.length), 'all messages');
  isOver = true;
  for (const { heard } of clients) assert.deepEqual(heard, texts);
  assert.ok(texts.length > 250, `${texts.length} of 300 messages came to the list`);
  for (const { child, output } of [again, two]) {
    assert.equal(child.exitCode, null);
    assert.match(output, /^(Listening .*\n|Redis: .*\n)+$/);
    assert.match(output, /Redis: /);
  }
});
