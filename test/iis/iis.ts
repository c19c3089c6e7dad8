/**
 * A double of IIS 8 with iisnode 0.2.x: hosts a folder as the application /dante, as the folder's
 * own web.config says. Where IIS or iisnode would answer by themselves, it answers as they do.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage, Server, ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseWebConfig, type WebConfig } from './webconfig.js';

export interface IisOptions {
  /** The folder of the application. */
  root: string;
  /** The program that iisnode runs; by default this very Node. */
  node?: string;
  /** Variables on top of the environment of the node process. */
  env?: Record<string, string>;
  /** How many times faster than in web.config the graceful period passes. */
  timeScale?: number;
}

const APPLICATION = '/dante';
const WINDOWS = process.platform === 'win32';

/** Extensions that IIS has a MIME type for, .ts (a video) among them. */
const MIME_TYPES: Record<string, string> = {
  '.css': 'text/css',
  '.html': 'text/html',
  '.js': 'application/javascript',
  '.json': 'application/json',
  '.map': 'application/json',
  '.md': 'text/markdown',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.ts': 'video/vnd.dlna.mpeg-tts',
  '.txt': 'text/plain',
};

/** One node process and the pipe that it listens on. */
interface Worker {
  child: ChildProcess;
  pipe: string;
  ready: Promise<boolean>;
  active: number;
  retired: boolean;
}

/** A folder that is watched, with the patterns that are looked at when something in it changes. */
interface WatchedFolder {
  path: string;
  patterns: { folder: string; pattern: RegExp; state: string }[];
}

export class Iis {
  readonly #options: IisOptions;
  readonly #config: WebConfig;
  readonly #server: Server;
  readonly #workers = new Set<Worker>();
  readonly #watched: WatchedFolder[] = [];
  readonly #watch: NodeJS.Timeout;
  #current: Worker | undefined;
  /** How many processes have been started. */
  started = 0;

  private constructor(options: IisOptions) {
    this.#options = options;
    this.#config = parseWebConfig(readFileSync(join(options.root, 'web.config'), 'utf8'));
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head));
    this.#watchFiles();
    this.#watch = setInterval(() => this.#scan(), 50);
  }

  static async start(options: IisOptions, port = 0): Promise<Iis> {
    const iis = new Iis(options);
    iis.#server.listen(port, '127.0.0.1');
    await once(iis.#server, 'listening');
    return iis;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port; // As it listens on a port.
  }

  get pids(): (number | undefined)[] {
    return [...this.#workers].map(({ child }) => child.pid);
  }

  async close(): Promise<void> {
    clearInterval(this.#watch);
    this.#server.close();
    const exits = [...this.#workers].map(({ child }) => child.exitCode ?? once(child, 'exit'));
    for (const worker of this.#workers) worker.child.kill('SIGKILL');
    await Promise.all(exits);
    this.#server.closeAllConnections();
  }

  // --- IIS: which handler, and its own answers ---

  /** The status of IIS's own error page, a file to send, or the script that iisnode is to run. */
  #route(url: string): { error: number } | { file: string } | { script: string; rest: string } {
    const path = decodeURIComponent(url.replace(/\?.*$/, ''));
    const segments = path.split('/').slice(1);
    if (segments.shift()?.toLowerCase() !== APPLICATION.slice(1)) return { error: 404 };
    // Request filtering hides these segments, whatever the handlers.
    if (segments.some((segment) => /^(web\.config|bin|app_data)$/i.test(segment))) return { error: 404 };
    for (const { path: pattern, module } of this.#config.handlers) {
      const at = segments.findIndex((segment) => pattern === '*' || segment.toLowerCase() === pattern.toLowerCase());
      if (at < 0) continue;
      const file = join(this.#options.root, ...(module === 'iisnode' ? segments.slice(0, at + 1) : segments));
      if (module === 'iisnode') return { script: file, rest: segments.slice(at + 1).join('/') };
      if (!existsSync(file)) return { error: 404 };
      if (statSync(file).isDirectory()) return { error: 403 };
      return MIME_TYPES[extname(file)] ? { file } : { error: 404 };
    }
    return { error: 404 };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const route = this.#route(request.url ?? '');
    if ('error' in route) return answerError(response, route.error);
    if ('file' in route) {
      response.writeHead(200, { 'Content-Type': MIME_TYPES[extname(route.file)] });
      return void response.end(readFileSync(route.file));
    }
    const { debuggingEnabled, devErrorsEnabled } = this.#config.iisnode;
    if (debuggingEnabled && /^debug(\/|$)/.test(route.rest)) {
      response.writeHead(200, { 'Content-Type': 'text/html' });
      return void response.end('<title>Node Inspector</title>');
    }
    const worker = this.#admit(route.script);
    if (!worker) return answerError(response, 503);
    response.once('close', () => this.#release(worker));
    if (!(await worker.ready)) {
      // Which is where a user meets HRESULT 0x2, substatus 1002.
      if (!devErrorsEnabled) return answerError(response, 500);
      response.writeHead(200, { 'Content-Type': 'text/html' });
      return void response.end(`iisnode encountered an error when processing the request. ${this.#lastLog()}`);
    }
    const forwarded = this.#forward(request, worker);
    forwarded.once('response', (answer) => this.#passOn(answer, response));
    forwarded.on('error', () => answerError(response, 500));
    request.pipe(forwarded);
  }

  #passOn(answer: IncomingMessage, response: ServerResponse): void {
    const status = answer.statusCode ?? 500;
    if (status >= 400 && this.#config.replaceErrors) {
      answer.resume();
      return answerError(response, status);
    }
    response.writeHead(status, answer.rawHeaders);
    answer.pipe(response);
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    const route = this.#route(request.url ?? '');
    if ('script' in route && /^websocket$/i.test(request.headers.upgrade ?? '') && this.#config.webSocket) {
      return void socket.end(rawError(500, 'the WebSocket module took the handshake and has nothing to hand it to'));
    }
    if (!('script' in route)) return void socket.end(rawError('error' in route ? route.error : 400));
    const worker = this.#admit(route.script);
    if (!worker) return void socket.end(rawError(503));
    socket.once('close', () => this.#release(worker));
    if (!(await worker.ready)) return void socket.end(rawError(500));
    const forwarded = this.#forward(request, worker);
    forwarded.on('error', () => socket.destroy());
    forwarded.once('upgrade', (answer: IncomingMessage, upstream: Socket, first: Buffer) => {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${headerLines(answer)}\r\n`);
      socket.write(first);
      upstream.on('error', () => socket.destroy());
      upstream.write(head);
      socket.pipe(upstream).pipe(socket);
      socket.on('close', () => upstream.destroy());
      upstream.on('close', () => socket.destroy());
    });
    forwarded.once('response', (answer) => {
      const status = answer.statusCode ?? 500;
      if (this.#config.replaceErrors && status >= 400) return void socket.end(rawError(status));
      socket.write(`HTTP/1.1 ${status} ${answer.statusMessage}\r\n${headerLines(answer)}\r\n`);
      answer.pipe(socket);
    });
    forwarded.end();
  }

  // --- iisnode: one process, its pipe, its limit, its end ---

  #forward(request: IncomingMessage, worker: Worker): ClientRequest {
    const { method = 'GET', url: path = '', headers } = request;
    return httpRequest({ socketPath: worker.pipe, method, path, headers, agent: false });
  }

  #admit(script: string): Worker | undefined {
    const worker = (this.#current ??= this.#start(script));
    if (worker.active >= this.#config.iisnode.maxConcurrentRequestsPerProcess) return undefined;
    worker.active += 1;
    return worker;
  }

  #release(worker: Worker): void {
    worker.active -= 1;
    if (worker.retired && worker.active === 0) worker.child.kill('SIGKILL');
  }

  #start(script: string): Worker {
    const { root, node = process.execPath, env } = this.#options;
    const pipe = WINDOWS ? `\\\\.\\pipe\\${randomUUID()}` : join(tmpdir(), `${randomUUID()}.sock`);
    const child = spawn(node, [join(__dirname, 'interceptor.js'), script], {
      cwd: root,
      stdio: 'ignore',
      env: { ...process.env, ...env, PORT: pipe, IISNODE_VERSION: '0.2.26' },
    });
    this.started += 1;
    const worker: Worker = { child, pipe, ready: listens(pipe, child), active: 0, retired: false };
    this.#workers.add(worker);
    child.once('exit', () => {
      this.#workers.delete(worker);
      if (this.#current === worker) this.#current = undefined;
    });
    return worker;
  }

  /** New requests go to a new process; the old one is killed when it is idle or the time is up. */
  #recycle(): void {
    const worker = this.#current;
    if (!worker) return;
    this.#current = undefined;
    worker.retired = true;
    const { gracefulShutdownTimeout } = this.#config.iisnode;
    if (worker.active === 0) worker.child.kill('SIGKILL');
    setTimeout(() => worker.child.kill('SIGKILL'), gracefulShutdownTimeout / (this.#options.timeScale ?? 1)).unref();
  }

  #lastLog(): string {
    const folder = join(this.#options.root, 'iisnode');
    return readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8')).join();
  }

  // --- iisnode: watched files (cfilewatcher.cpp) ---

  #watchFiles(): void {
    for (const item of this.#config.iisnode.watchedFiles.split(';').filter(Boolean)) {
      const at = item.lastIndexOf('\\') + 1;
      const folder = join(this.#options.root, item.slice(0, at).replaceAll('\\', '/'));
      const glob = item.slice(at).replace(/[.+^$()|[\]{}]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.');
      const pattern = new RegExp(`^${glob}$`, 'i');
      // Newest first; a pattern without a folder is taken for one of whatever folder comes first.
      let watched = this.#watched.find(({ path }) => at === 0 || path === folder);
      if (!watched) this.#watched.unshift((watched = { path: folder, patterns: [] }));
      watched.patterns.push({ folder, pattern, state: state(folder, pattern) });
    }
  }

  #scan(): void {
    for (const { path, patterns } of this.#watched) {
      for (const watched of patterns) {
        // A change in another folder than the watched one is not noticed.
        if (watched.folder !== path) continue;
        const now = state(watched.folder, watched.pattern);
        if (now === watched.state) continue;
        watched.state = now;
        this.#recycle();
      }
    }
  }
}

/** Names, sizes and times of the files that match. */
function state(folder: string, pattern: RegExp): string {
  if (!existsSync(folder)) return '';
  return readdirSync(folder)
    .filter((name) => pattern.test(name))
    .map((name) => statSync(join(folder, name)))
    .filter((stats) => stats.isFile())
    .map(({ ino, size, mtimeMs }) => `${ino} ${size} ${mtimeMs}`)
    .join();
}

/** Whether the process comes to listen on its pipe, as iisnode finds out: by trying. */
async function listens(pipe: string, child: ChildProcess): Promise<boolean> {
  let failed = false;
  child.once('error', () => (failed = true)).once('exit', () => (failed = true));
  for (let tries = 0; tries < 1000 && !failed; tries += 1) {
    const socket = connect(pipe);
    const connected = await once(socket, 'connect').then(() => true, () => false);
    socket.destroy();
    if (connected) return true;
    await sleep(20);
  }
  return false;
}

function headerLines({ rawHeaders }: IncomingMessage): string {
  let lines = '';
  for (let i = 0; i < rawHeaders.length; i += 2) lines += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`;
  return lines;
}

const errorPage = (status: number, why = ''): string =>
  `<!DOCTYPE html><title>IIS 8.0 Detailed Error - ${status}</title>${why}\n`;

function answerError(response: ServerResponse, status: number): void {
  if (response.headersSent) return void response.destroy();
  const body = errorPage(status);
  response.writeHead(status, { 'Content-Type': 'text/html', 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

function rawError(status: number, why = ''): string {
  const body = errorPage(status, why);
  return `HTTP/1.1 ${status} IIS\r\nContent-Type: text/html\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`;
}
