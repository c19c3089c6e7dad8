/** Measures dante beside the bare library and the limit of Node; README.md explains the table. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { until } from '../support/until.js';
import { openReader } from './load.js';

/** What each server did in each round, by row of the table. */
type Results = Record<'dante' | 'bare' | 'limit', Record<string, number>[]>;

main().catch(fail);

async function main(): Promise<void> {
  const string = { type: 'string' } as const;
  const { values } = parseArgs({ options: { readers: string, rounds: string } });
  const readers = parseCount('--readers', values.readers ?? '10000');
  const rounds = parseCount('--rounds', values.rounds ?? '5');
  const results: Results = { dante: [], bare: [], limit: [] };
  const order: (keyof Results)[] = ['dante', 'bare', 'limit'];
  for (let round = 1; round <= rounds; round += 1) {
    for (const name of order) {
      console.error(`${readers} readers, round ${round} of ${rounds}: ${name}`);
      results[name].push(await measure(name, readers));
    }
    // Another server goes first in the next round: the machine may still be cool.
    order.push(...order.splice(0, 1));
  }
  printTables(results);
}

function parseCount(option: string, text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new Error(`${option} is ${JSON.stringify(text)}, but takes a whole number from 1.`);
}

function fail({ message }: Error): never {
  const remedy = '. Each reader is an open file: raise `ulimit -n`, or lower --readers.';
  console.error(message.includes('EMFILE') ? message + remedy : message);
  process.exit(1);
}

/** Runs one server through one whole stream. */
async function measure(name: keyof Results, readers: number): Promise<Record<string, number>> {
  // At most 25,000 stanzas a second, so that no server comes to its limit.
  const intervalMs = Math.max(100, Math.round(readers / 25));
  const server = fork(join(__dirname, `${name}.js`), {
    env: { ...process.env, INTERVAL_MS: String(intervalMs) },
  });
  server.on('exit', (code) => code === 0 || fail(new Error(`${name} ended with ${code}.`)));
  const [port] = await once(server, 'message');
  const readUsage = (): Promise<{ cpuUs: number; rssBytes: number }> =>
    new Promise((resolve) => server.once('message', resolve).send('usage'));
  const [late, lastLate]: [number[], number[]] = [[], []];
  let opened = 0;
  const openInTurn = async (): Promise<void> => {
    while (opened++ < readers) await openReader(port, intervalMs, late, lastLate);
  };
  const idle = await readUsage();
  await Promise.all(Array.from({ length: 100 }, openInTurn));
  const connected = await readUsage();
  const from = late.length;
  // With 36 of 46 stanzas on average, no reader has come to its end.
  await until(() => late.length > 36 * readers, 'the stanzas', 600_000);
  const steady = await readUsage();
  const measured = late.slice(from);
  await until(() => lastLate.length === readers, 'the last stanzas', 600_000);
  server.disconnect();
  await until(() => server.exitCode !== null, `the end of ${name}`);
  return {
    'CPU per stanza, µs': (steady.cpuUs - connected.cpuUs) / measured.length,
    'CPU per handshake, µs': (connected.cpuUs - idle.cpuUs) / readers,
    'memory per reader, KiB': (steady.rssBytes - idle.rssBytes) / 1024 / readers,
    'lateness p50, ms': percentile(measured, 0.5),
    'lateness p99, ms': percentile(measured, 0.99),
    'last stanza late p50, ms': percentile(lastLate, 0.5),
  };
}

function percentile(values: number[], part: number): number {
  return Float64Array.from(values).sort()[Math.floor((values.length - 1) * part)] ?? NaN;
}

function printTables({ dante, bare, limit }: Results): void {
  const rows = Object.keys(dante[0] ?? {});
  const read = (rounds: Results['dante'], row: string) => rounds.map((round) => round[row] ?? NaN);
  console.log('| | dante | bare | limit |\n| --- | ---: | ---: | ---: |');
  for (const row of rows) print(row, [dante, bare, limit].map((rounds) => read(rounds, row)));
  console.log('\n| | dante / bare | dante / limit |\n| --- | ---: | ---: |');
  for (const row of rows.filter((name) => name.includes(' per '))) {
    // Round by round: only within a round the rest of the machine does the same to both.
    print(row, [bare, limit].map((other) =>
      read(dante, row).map((value, i) => value / (read(other, row)[i] ?? NaN))));
  }
}

/** Prints of each cell the median and, in brackets, the least and the most; with three digits. */
function print(row: string, cells: number[][]): void {
  const texts = cells.map((values) => {
    const digits = (part: number): number => Number(percentile(values, part).toPrecision(3));
    return `${digits(0.5)} (${digits(0)}…${digits(1)})`;
  });
  console.log(`| ${row} | ${texts.join(' | ')} |`);
}
