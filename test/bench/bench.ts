/** Measures dante beside the bare library; README.md explains the table. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { handshake } from '../support/raw.js';
import { until } from '../support/until.js';

const string = { type: 'string' } as const;
const { values } = parseArgs({ options: { readers: string, rounds: string } });
const [readers, rounds] = [Number(values.readers ?? 10_000), Number(values.rounds ?? 5)];
assert.ok(readers > 0 && rounds > 0, '--readers and --rounds take numbers from 1.');
// At most 25,000 stanzas a second, so that no server comes to its limit.
const intervalMs = Math.max(100, Math.round(readers / 25));

void main();

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

/** Runs one server through most of a stream. Returns what it did, by row of the table. */
async function measure(name: string): Promise<Record<string, number>> {
  const server = fork(join(__dirname, `${name}.js`), [String(intervalMs)]);
  server.on('exit', (code) => assert.equal(code, 0, `${name} ended with ${code}.`));
  const [port] = await once(server, 'message');
  const readUsage = (): Promise<{ cpuUs: number; rssBytes: number }> =>
    new Promise((resolve) => server.once('message', resolve).send('usage'));
  const late: number[] = [];
  let opened = 0;
  const openInTurn = async (): Promise<void> => {
    while (opened++ < readers) await openReader(port, late);
  };
  const idle = await readUsage();
  await Promise.all(Array.from({ length: 100 }, openInTurn));
  const connected = await readUsage();
  late.length = 0; // The stanzas from here on count.
  // Another 30 of 46 on average, so that no reader has come to its end.
  await until(() => late.length > 30 * readers, 'the stanzas', 600_000);
  const steady = await readUsage();
  server.disconnect();
  await once(server, 'exit');
  return {
    'CPU per stanza, µs': (steady.cpuUs - connected.cpuUs) / late.length,
    'CPU per handshake, µs': (connected.cpuUs - idle.cpuUs) / readers,
    'memory per reader, KiB': (steady.rssBytes - idle.rssBytes) / 1024 / readers,
    'lateness p50, ms': percentile(late, 0.5),
    'lateness p99, ms': percentile(late, 0.99),
  };
}

/** Opens a reader that adds to `late` how many ms late each stanza is. Resolves with the first. */
async function openReader(port: number, late: number[]): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  let dueAt: number | undefined;
  socket.on('data', (chunk) => {
    const now = performance.now();
    for (const byte of chunk) {
      if (byte !== 0x81) continue; // Only the first byte of a stanza's frame has this value.
      dueAt ??= now;
      late.push(now - dueAt);
      dueAt += intervalMs;
    }
  });
  socket.write(handshake());
  while (dueAt === undefined) await once(socket, 'data');
}

function percentile(values: number[], part: number): number {
  return Float64Array.from(values).sort()[Math.floor((values.length - 1) * part)] ?? NaN;
}

/** The median and, in brackets, the least and the most; with three digits. */
function summarize(values: number[]): string {
  const digits = (part: number): number => Number(percentile(values, part).toPrecision(3));
  return `${digits(0.5)} (${digits(0)}…${digits(1)})`;
}
