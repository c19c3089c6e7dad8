/**
 * A double of IIS 8 with iisnode 0.2.x: hosts a folder as the application /dante, as the folder's
 * own web.config says. Where IIS or iisnode would answer by themselves, it answers as they do; what
 * iisnode does to a request it does as well, file by file of its source.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
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
  /** A watched file has changed: the next request brings another process. */
  stale: boolean;
  /** Pipes that are kept for later requests, and since when. */
  pool: { socket: Socket; since: number }[];
}

/** What came from Node, up to the end of its head or of its body. */
interface Answer {
  status: number;
  /** The status line and the headers, each with its line break. */
  head: string;
  rawHeaders: string[];
  body: Buffer;
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
  readonly #sockets = new Set<Duplex>();
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
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#watchFiles();
    this.#watch = setInterval(() => this.scan(), 50);
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

  /** How many requests iisnode believes the process to have, open WebSockets included. */
  get active(): number {
    return this.#current?.active ?? 0;
  }

  async close(): Promise<void> {
    clearInterval(this.#watch);
    this.#server.close();
    const exits = [...this.#workers].map(({ child }) => child.exitCode ?? once(child, 'exit'));
    for (const worker of this.#workers) worker.child.kill('SIGKILL');
    await Promise.all(exits);
    for (const socket of this.#sockets) socket.destroy();
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
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const worker = this.#admit(route.script);
    if (!worker) return answerError(response, 503);
    response.once('close', () => this.#release(worker));
    if (!(await worker.ready)) {
      // Which is where a user meets HRESULT 0x2, substatus 1002.
      if (!devErrorsEnabled) return answerError(response, 500);
      response.writeHead(200, { 'Content-Type': 'text/html' });
      return void response.end(`iisnode encountered an error when processing the request. ${this.#lastLog()}`);
    }
    const pipe = this.#takePipe(worker);
    const answer = await exchange(pipe, request, Buffer.concat(chunks)).catch(() => undefined);
    if (!answer) return answerError(response, 500);
    this.#giveBack(worker, pipe, answer);
    if (answer.status >= 400 && this.#config.replaceErrors) return answerError(response, answer.status);
    response.writeHead(answer.status, answer.rawHeaders);
    response.end(answer.body);
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
    const pipe = this.#takePipe(worker);
    const answer = await exchange(pipe, request).catch(() => undefined);
    if (!answer) return void socket.end(rawError(500));
    if (answer.status === 101) return this.#tunnel(answer, pipe, socket, head, worker);
    this.#giveBack(worker, pipe, answer);
    if (answer.status >= 400 && this.#config.replaceErrors) return void socket.end(rawError(answer.status));
    socket.write(answer.head);
    socket.end(answer.body);
  }

  /**
   * cprotocolbridge.cpp: bytes go both ways, and the end of neither side reaches the other. A client
   * that is gone is noticed when something is written to it, and counted off a second time.
   */
  #tunnel({ head, body }: Answer, pipe: Socket, client: Duplex, first: Buffer, worker: Worker): void {
    client.write(head);
    client.write(body);
    if (first.length > 0) pipe.write(first);
    client.on('data', (chunk) => pipe.write(chunk));
    client.on('end', () => client.end());
    pipe.on('data', (chunk) => (client.destroyed ? pipe.destroy() : client.write(chunk)));
    client.once('close', () => {
      if (!pipe.destroyed) this.#release(worker);
    });
  }

  // --- iisnode: one process, its pipe, its limit, its end ---

  /** cconnectionpool.cpp: the newest pipe that is young enough, whether or not Node has closed it. */
  #takePipe(worker: Worker): Socket {
    const { maxNamedPipePooledConnectionAge } = this.#config.iisnode;
    for (let kept = worker.pool.pop(); kept; kept = worker.pool.pop()) {
      if (performance.now() - kept.since < maxNamedPipePooledConnectionAge) return kept.socket;
      kept.socket.destroy();
    }
    return connect(worker.pipe).on('error', () => {}); // Told by exchange().
  }

  /** chttpprotocol.cpp: a pipe is kept unless the Connection header ends in `close`. */
  #giveBack(worker: Worker, socket: Socket, { head }: Answer): void {
    if (/^connection: .*close\r$/im.test(head)) socket.destroy();
    else worker.pool.push({ socket, since: performance.now() });
  }

  #admit(script: string): Worker | undefined {
    if (this.#current?.stale) this.#retire(this.#current);
    const worker = (this.#current ??= this.#start(script));
    if (worker.active >= this.#config.iisnode.maxConcurrentRequestsPerProcess) return undefined;
    worker.active += 1;
    return worker;
  }

  #release(worker: Worker): void {
    worker.active -= 1;
    // A reader that was counted off twice lets the process seem idle before it is.
    if (worker.retired && worker.active <= 0) worker.child.kill('SIGKILL');
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
    const worker: Worker = { child, pipe, ready: listens(pipe, child), active: 0, retired: false, stale: false, pool: [] };
    this.#workers.add(worker);
    child.once('exit', () => {
      this.#workers.delete(worker);
      if (!WINDOWS) rmSync(pipe, { force: true });
      if (this.#current === worker) this.#current = undefined;
    });
    return worker;
  }

  /** New requests go to a new process; the old one is killed when it is idle or the time is up. */
  #retire(worker: Worker): void {
    this.#current = undefined;
    worker.retired = true;
    const { gracefulShutdownTimeout } = this.#config.iisnode;
    if (worker.active <= 0) worker.child.kill('SIGKILL');
    setTimeout(() => worker.child.kill('SIGKILL'), gracefulShutdownTimeout / (this.#options.timeScale ?? 1)).unref();
  }

  /** As IIS does with its pool: all ends, connections included, and the next request starts anew. */
  recycle(): void {
    for (const { child } of this.#workers) child.kill('SIGKILL');
    for (const socket of this.#sockets) socket.destroy();
    this.#current = undefined;
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

  /** Looks for files that have changed, as it does twenty times a second. */
  scan(): void {
    for (const { path, patterns } of this.#watched) {
      for (const watched of patterns) {
        // A change in another folder than the watched one is not noticed.
        if (watched.folder !== path) continue;
        const now = state(watched.folder, watched.pattern);
        if (now === watched.state) continue;
        watched.state = now;
        // Lazily (cnodeapplicationmanager.cpp): a change alone ends and starts nothing.
        if (this.#current) this.#current.stale = true;
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

/** Writes a request into a pipe as iisnode does, and reads the answer. Throws if there is none. */
function exchange(pipe: Socket, request: IncomingMessage, body = Buffer.alloc(0)): Promise<Answer> {
  const { method, rawHeaders } = request;
  // The path is decoded (cprotocolbridge.cpp); the query is as it came.
  const target = (request.url ?? '').replace(/^[^?]*/, decodeURI);
  let text = `${method} ${target} HTTP/1.1\r\n`;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = rawHeaders.slice(i, i + 2);
    // Any Connection header but this one is replaced (cprotocolbridge.cpp).
    const kept = !/^connection$/i.test(name) || /^upgrade$/i.test(value);
    text += `${name}: ${kept ? value : 'keep-alive'}\r\n`;
  }
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    // Node's own answer to what is no HTTP has no length: the end of the pipe is its end.
    const end = (): void => {
      if (bytes.length === 0) reject(new Error('The pipe was closed.'));
      else read(Buffer.alloc(0), true);
    };
    const read = (chunk: Buffer, ended = false): void => {
      bytes = Buffer.concat([bytes, chunk]);
      const at = bytes.indexOf('\r\n\r\n') + 4;
      const head = bytes.toString('latin1', 0, at);
      const status = Number(head.slice(9, 12));
      const bodiless = method === 'HEAD' || status === 304 || status === 101;
      const length = bodiless ? 0 : Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? NaN);
      if (at < 4 || !(ended || bytes.length >= at + length)) return;
      pipe.off('data', onData).off('close', end);
      const rawHeaders = [...head.matchAll(/^([^:\r\n]+): (.*)\r$/gm)].flatMap(([, name = '', value = '']) => [name, value]);
      resolve({ status, head, rawHeaders, body: bytes.subarray(at) });
    };
    const onData = (chunk: Buffer): void => read(chunk);
    pipe.on('data', onData).once('close', end);
    if (pipe.destroyed) end();
    pipe.write(Buffer.concat([Buffer.from(`${text}\r\n`), body]));
  });
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
