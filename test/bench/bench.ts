/** Measures dante beside the bare library; README.md explains the table. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import WebSocket from 'faye-websocket';
import { createApp } from '../../dist/app.js';
import { createStream, listen } from '../support/app.js';
import { connectTo, handshake, until } from '../support/client.js';

const string = { type: 'string' } as const;
const { values } = parseArgs({ options: { readers: string, rounds: string, server: string } });
const [readers, rounds] = [Number(values.readers ?? 10_000), Number(values.rounds ?? 5)];
assert.ok(readers > 0 && rounds > 0, '--readers and --rounds take numbers from 1.');
// At most 25,000 stanzas a second, so that no server comes to its limit.
const intervalMs = Math.max(100, Math.round(readers / 25));
const STANZA = 'Dante'.repeat(25);

void (values.server ? serve(values.server) : main());

async function main(): Promise<void> {
  const rows: Record<string, { dante: number[]; bare: number[] }> = {};
  const order: ('dante' | 'bare')[] = ['bare', 'dante'];
  for (let round = 1; round <= rounds; round += 1) {
    // The other server goes first in each round: the machine may still be cool.
    for (const name of order.reverse()) {
      console.error(`${readers} readers, round ${round} of ${rounds}: ${name}`);
      for (const [row, value] of Object.entries(await measure(name))) {
        (rows[row] ??= { dante: [], bare: [] })[name].push(value);
      }
    }
  }
  console.log('| | dante | bare | dante / bare |\n| --- | ---: | ---: | ---: |');
  for (const [row, { dante, bare }] of Object.entries(rows)) {
    // Round by round: only within a round the rest of the machine does the same to both.
    const ratios = dante.map((value, i) => value / (bare[i] ?? NaN));
    const ratio = row.includes(' per ') ? summarize(ratios) : '';
    console.log(`| ${row} | ${summarize(dante)} | ${summarize(bare)} | ${ratio} |`);
  }
}

/** The median and, in brackets, the least and the most; with three digits. */
function summarize(values: number[]): string {
  const sorted = values.map((value) => Number(value.toPrecision(3))).sort((a, b) => a - b);
  return `${sorted[(sorted.length - 1) >> 1]} (${sorted[0]}…${sorted.at(-1)})`;
}

/** Serves in a process of its own, and sends what it has used at the start and when asked. */
async function serve(name: string): Promise<void> {
  // Long enough that no reader comes to its end.
  const stream = createStream(Array<string>(99).fill(STANZA), intervalMs);
  const { server: dante } = createApp(stream, { allowedOrigins: new Set() });
  // The server of faye-websocket's README, with a timer for each reader.
  const bare = createServer().on('upgrade', (request, socket, head) => {
    const ws = new WebSocket(request, socket, head);
    const send = () => ws.send(STANZA) && setTimeout(send, intervalMs);
    ws.on('open', send);
  });
  const port = await listen(name === 'dante' ? dante : bare);
  const report = (): void => {
    const { user, system } = process.cpuUsage();
    process.send?.({ port, cpuUs: user + system, rssBytes: process.memoryUsage.rss() });
  };
  report();
  // The channel closes when the benchmark ends, however it ends.
  process.on('message', report).on('disconnect', () => process.exit());
}

/** Sends about 30 stanzas to each reader. Returns what the server did, by row of the table. */
async function measure(name: string): Promise<Record<string, number>> {
  const server = fork(__filename, [...process.argv.slice(2), '--server', name]);
  server.on('exit', (code) => assert.equal(code, 0, `${name} ended with ${code}.`));
  const [idle] = await once(server, 'message');
  const late: number[] = [];
  let opened = 0;
  const openInTurn = async (): Promise<void> => {
    while (opened++ < readers) await openReader(idle.port, late);
  };
  await Promise.all(Array.from({ length: 100 }, openInTurn));
  server.send('report');
  const [connected] = await once(server, 'message');
  late.length = 0; // The stanzas from here on count.
  await until(() => late.length > 30 * readers, 'the stanzas', 600_000);
  server.send('report');
  const [steady] = await once(server, 'message');
  server.disconnect();
  await once(server, 'exit');
  return {
    'CPU per stanza, µs': (steady.cpuUs - connected.cpuUs) / late.length,
    'CPU per handshake, µs': (connected.cpuUs - idle.cpuUs) / readers,
    'memory per reader, KiB': (steady.rssBytes - idle.rssBytes) / 1024 / readers,
    'lateness p99, ms': late.sort((a, b) => a - b)[Math.floor(late.length * 0.99)] ?? NaN,
  };
}

/** Opens a reader that adds to `late` how many ms late each stanza is. Resolves with the first. */
async function openReader(port: number, late: number[]): Promise<void> {
  const socket = connectTo(port);
  let dueAt: number | undefined;
  socket.on('data', (chunk) => {
    for (const byte of chunk) {
      if (byte !== 0x81) continue; // Only the first byte of a stanza's frame has this value.
      dueAt ??= performance.now();
      late.push(performance.now() - dueAt);
      dueAt += intervalMs;
    }
  });
  socket.write(handshake());
  while (dueAt === undefined) await once(socket, 'data');
}
