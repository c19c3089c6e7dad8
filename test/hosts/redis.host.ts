/** The chat of examples/ on two servers behind HAProxy, with a real Redis. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { track } from '../support/bounds.js';
import { openReader, until } from '../support/client.js';
import { ROOT, startServer } from '../support/program.js';

const folder = mkdtempSync(join(tmpdir(), 'dante-redis-'));
process.on('exit', () => rmSync(folder, { recursive: true }));
const start = (command: string, ...args: string[]) =>
  track(spawn(command, args, { cwd: folder, stdio: 'ignore' })).unref();
const startRedis = () => start('redis-server', '--port', '6390', '--appendonly', 'yes');
const askRedis = (...args: string[]) =>
  spawnSync('redis-cli', ['-p', '6390', ...args], { encoding: 'utf8' }).stdout.trimEnd();

test('clients hear the list while a server is killed and Redis restarts', async (t) => {
  const startOn = (PORT: string) => startServer(t, { PORT, REDIS_URL: 'redis://127.0.0.1:6390' });
  startRedis();
  start('haproxy', '-f', join(ROOT, 'test/hosts/haproxy.cfg'));
  const servers = [await startOn('8881'), await startOn('8882')];
  const clients: ReturnType<typeof openReader>[] = [];
  /** Comes back after each loss, as the page does. */
  function follow(i: number, heard: string[] = []): void {
    clients[i] = openReader(`ws://127.0.0.1:8080/ws?from=${heard.length}`, heard);
    void clients[i].closed.then(() => setTimeout(follow, 100, i, heard).unref());
  }
  for (const i of [0, 1, 2, 3]) follow(i);
  await sleep(1000);
  for (let i = 1; i <= 300; i += 1) {
    clients[i % 4]?.socket.send(`message ${i}`);
    await sleep(20);
    if (i === 60) servers[0]?.child.kill('SIGKILL');
    if (i === 100) servers.push(await startOn('8881'));
    if (i === 180) askRedis('shutdown');
    if (i === 220) startRedis();
  }
  const texts = askRedis('lrange', 'chat', '0', '-1').split('\n');
  await until(() => clients.every(({ messages }) => messages.length >= texts.length), 'all texts');
  for (const { messages } of clients) assert.deepEqual(messages, texts);
  assert.ok(texts.length > 250, `${texts.length} of 300 messages came to the list`);
  for (const { output } of servers.slice(1)) assert.match(output.stderr, /^(Redis: .*\n)+$/);
});
