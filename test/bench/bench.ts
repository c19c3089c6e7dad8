/**
 * What a reader costs: dante, the bare library and what Node can do at all, one after the other in
 * each round. `npm run bench -- --readers 1000,10000 --rounds 5 --json`; README.md beside it explains.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { freePort } from '../support/port.js';
import type { Order, Spread } from './load.js';
import { STANZAS } from './report.js';

/** What one server did with so many readers. Times in milliseconds, if not said otherwise. */
interface Result {
  cpuUsPerStanza: number;
  cpuUsPerHandshake: number;
  kibPerReader: number;
  first: Spread;
  lateness: Spread;
  last: Spread;
}

interface PageResult extends Spread {
  perSecond: number;
}

const SERVERS = {
  dante: join(__dirname, '..', '..', 'dist', 'server.js'),
  bare: join(__dirname, 'bare.js'),
  limit: join(__dirname, 'limit.js'),
};
type Name = keyof typeof SERVERS;
const NAMES: Name[] = ['dante', 'bare', 'limit'];
/** A list has the same place for every round. */
type Rounds = Record<Name, Result[]>;
type PageRounds = Record<'dante' | 'constant', PageResult[]>;

const children = new Set<ChildProcess>();
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));

const { counts, rounds: roundCount, minutes, json } = readOptions();
setTimeout(() => {
  console.error(`Not done within ${minutes} minutes: --minutes allows more, --readers asks for less.`);
  process.exit(1);
}, minutes * 60_000).unref();

/** One line that changes, or a line each where that cannot be. */
const progress = (text: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else if (text) process.stderr.write(`${text}\n`);
};

void main().then(() => process.exit(0));

async function main(): Promise<void> {
  const most = openFiles() - 100;
  const results = new Map<number, Rounds>();
  for (const asked of counts) {
    const count = Math.min(asked, most);
    if (count < asked) progress(`${count} readers, not ${asked}: ulimit -n allows no more.`);
    const rounds: Rounds = { dante: [], bare: [], limit: [] };
    results.set(count, rounds);
    for (let round = 0; round < roundCount; round += 1) {
      // None of them is always the first, on a machine that is still cool.
      for (let i = 0; i < NAMES.length; i += 1) {
        const name = NAMES[(i + round) % NAMES.length] ?? 'dante';
        progress(`${count} readers, round ${round + 1} of ${roundCount}: ${name} …`);
        rounds[name].push(await measureReaders(SERVERS[name], count));
      }
    }
  }
  const page: PageRounds = { dante: [], constant: [] };
  for (let round = 0; round < roundCount; round += 1) {
    progress(`the page, round ${round + 1} of ${roundCount} …`);
    page.dante.push(await measurePage(SERVERS.dante));
    page.constant.push(await measurePage(join(__dirname, 'constant.js')));
  }
  progress('');
  if (json) console.log(JSON.stringify({ node: process.version, readers: Object.fromEntries(results), page }, null, 2));
  else printTables(results, page);
}

function readOptions(): { counts: number[]; rounds: number; minutes: number; json: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        readers: { type: 'string', default: '1000,10000' },
        rounds: { type: 'string', default: '5' },
        minutes: { type: 'string', default: '15' },
        json: { type: 'boolean', default: false },
      },
    });
    const wholes = (name: 'readers' | 'rounds' | 'minutes'): number[] => {
      const text = String(values[name]);
      if (/^[1-9]\d{0,5}(,[1-9]\d{0,5})*$/.test(text)) return text.split(',').map(Number);
      throw new Error(`--${name} is ${JSON.stringify(text)}, but takes whole numbers from 1.`);
    };
    const [[rounds = 1], [minutes = 1]] = [wholes('rounds'), wholes('minutes')];
    return { counts: wholes('readers'), rounds, minutes, json: values.json === true };
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}

/** How many files a process may have open. */
function openFiles(): number {
  if (process.platform !== 'linux') return Infinity;
  // Node itself raises the soft limit to the hard one.
  const [, hard] = /^Max open files +\S+ +(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  return hard === 'unlimited' ? Infinity : Number(hard);
}

async function measureReaders(script: string, count: number): Promise<Result> {
  // At most 25,000 stanzas a second, so that no server comes to its limit.
  const intervalMs = Math.max(100, Math.round(count / 25));
  const { child: server, port } = await startServer(script, intervalMs);
  const load = start(join(__dirname, 'load.js'));
  await sleep(300);
  const idle = await usage(server);
  const started = performance.now();
  const { first } = await order<{ first: Spread }>(load, { kind: 'readers', port, count, intervalMs, stanzas: STANZAS });
  const connected = await usage(server);
  const from = await order<{ frames: number }>(load, { kind: 'mark' });
  // Until the first readers come to the end.
  await sleep(Math.max(1000, started + (STANZAS - 3) * intervalMs - performance.now()));
  const steady = await usage(server);
  const to = await order<{ frames: number; done: number; lateness: Spread }>(load, { kind: 'end' });
  let end = await order<{ done: number; last: Spread }>(load, { kind: 'end' });
  while (end.done < count) {
    await sleep(100);
    end = await order(load, { kind: 'end' });
  }
  await stop(load);
  await stop(server);
  return {
    cpuUsPerStanza: (steady.cpuUs - connected.cpuUs) / (to.frames - from.frames),
    cpuUsPerHandshake: (connected.cpuUs - idle.cpuUs) / count,
    kibPerReader: (steady.rss - idle.rss) / 1024 / count,
    first,
    lateness: to.lateness,
    last: end.last,
  };
}

async function measurePage(script: string): Promise<PageResult> {
  const { child: server, port } = await startServer(script, 1000);
  const load = start(join(__dirname, 'load.js'));
  await order(load, { kind: 'page', port, connections: 64, ms: 1000 });
  const result = await order<PageResult>(load, { kind: 'page', port, connections: 64, ms: 3000 });
  await stop(load);
  await stop(server);
  return result;
}

function start(script: string, env: Record<string, string> = {}): ChildProcess {
  const execArgv = ['--require', join(__dirname, 'report.js')];
  const child = fork(script, { execArgv, env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  children.add(child);
  child.once('exit', (code) => {
    if (!children.delete(child)) return;
    console.error(`${script} ended with ${code}.`);
    process.exit(1);
  });
  return child;
}

async function startServer(script: string, intervalMs: number): Promise<{ child: ChildProcess; port: number }> {
  const port = await freePort();
  const child = start(script, { PORT: String(port), HOST: '127.0.0.1', INTERVAL_MS: String(intervalMs) });
  for (let tries = 0; tries < 100; tries += 1) {
    if (await fetch(`http://127.0.0.1:${port}/favicon.svg`, { signal: AbortSignal.timeout(500) }).then(() => true, isTimeout)) break;
    await sleep(50);
  }
  return { child, port };
}

/** A server that takes requests and answers none, as bare does, is there as well. */
const isTimeout = (error: Error): boolean => error.name === 'TimeoutError';

async function stop(child: ChildProcess): Promise<void> {
  children.delete(child);
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** Sends an order and resolves with its answer. */
async function order<T>(child: ChildProcess, message: Order | 'usage'): Promise<T> {
  child.send(message);
  // A process that ends by itself ends the benchmark, by its `exit` listener.
  const [answer] = await once(child, 'message');
  return answer;
}

/** What a process has used since it started: CPU in microseconds, and its resident memory in bytes. */
async function usage(child: ChildProcess): Promise<{ cpuUs: number; rss: number }> {
  if (process.platform !== 'linux') return order(child, 'usage');
  const folder = `/proc/${child.pid}`;
  let cpuUs = 0;
  for (const task of readdirSync(`${folder}/task`)) {
    const [onCpuNs] = readFileSync(`${folder}/task/${task}/schedstat`, 'utf8').split(' ');
    cpuUs += Number(onCpuNs) / 1000;
  }
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`${folder}/status`, 'utf8'))?.[1];
  return { cpuUs, rss: Number(kib) * 1024 };
}

function printTables(results: Map<number, Rounds>, page: PageRounds): void {
  const rows: [string, (result: Result) => number][] = [
    ['CPU a stanza, µs', ({ cpuUsPerStanza }) => cpuUsPerStanza],
    ['CPU a handshake, µs', ({ cpuUsPerHandshake }) => cpuUsPerHandshake],
    ['memory a reader, KiB', ({ kibPerReader }) => kibPerReader],
    ['first stanza p50, ms', ({ first }) => first.p50],
    ['first stanza p99, ms', ({ first }) => first.p99],
    ['lateness p50, ms', ({ lateness }) => lateness.p50],
    ['lateness p99, ms', ({ lateness }) => lateness.p99],
    ['lateness max, ms', ({ lateness }) => lateness.max],
    ['last stanza p50, ms late', ({ last }) => last.p50],
    ['last stanza p99, ms late', ({ last }) => last.p99],
  ];
  console.log('Medians of the rounds, and in brackets the least and the most.');
  for (const [count, { dante, bare, limit }] of results) {
    printRow(`${count} readers`, ['dante', 'bare', 'limit', 'dante/bare', 'dante/limit']);
    for (const [name, of] of rows) {
      const cells = [dante, bare, limit].map((rounds) => summarize(rounds.map(of), 1));
      const ratios = [bare, limit].map((others) => summarize(divide(dante.map(of), others.map(of)), 2));
      printRow(name, /^CPU|^memory/.test(name) ? [...cells, ...ratios] : cells);
    }
  }
  printRow('the page, 64 connections', ['dante', 'constant', 'dante/constant']);
  const [ours, theirs] = [page.dante, page.constant].map((rounds) => rounds.map(({ perSecond }) => perSecond));
  const ratio = summarize(divide(ours ?? [], theirs ?? []), 2);
  printRow('requests a second', [summarize(ours ?? [], 0), summarize(theirs ?? [], 0), ratio]);
  printRow('p99, ms', [page.dante, page.constant].map((rounds) => summarize(rounds.map(({ p99 }) => p99), 1)));
}

/** Round by round, as what else a machine does is the same for both in one round at the most. */
const divide = (ones: number[], others: number[]): number[] => ones.map((one, round) => one / (others[round] ?? NaN));

function summarize(values: number[], digits: number): string {
  const sorted = [...values].sort((one, other) => one - other);
  const median = ((sorted[(sorted.length - 1) >> 1] ?? NaN) + (sorted[sorted.length >> 1] ?? NaN)) / 2;
  const [least, most] = [sorted[0], sorted.at(-1)].map((value) => value?.toFixed(digits));
  return `${median.toFixed(digits)} (${least}…${most})`;
}

function printRow(name: string, cells: string[]): void {
  console.log(name.padEnd(26) + cells.map((cell) => cell.padStart(23)).join(''));
}
