import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import WebSocket from 'faye-websocket';
import { until } from './until.js';

/** Where Chrome, Chromium and Edge are usually installed; CHROME_PATH goes before them. */
function findBrowser(): string | undefined {
  const programs = [
    process.env['PROGRAMFILES'],
    process.env['PROGRAMFILES(X86)'],
    process.env['LOCALAPPDATA'],
  ].filter((folder) => folder !== undefined);
  const candidates = [
    process.env['CHROME_PATH'] ?? '',
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
    '/usr/bin/google-chrome-stable',
    '/usr/bin/microsoft-edge',
    '/snap/bin/chromium',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
    ...programs.flatMap((folder) => [
      join(folder, 'Google/Chrome/Application/chrome.exe'),
      join(folder, 'Chromium/Application/chrome.exe'),
      join(folder, 'Microsoft/Edge/Application/msedge.exe'),
    ]),
  ];
  return candidates.find((path) => path !== '' && existsSync(path));
}

/**
 * Why browser tests cannot run here, or false. Throws under CI, where nothing may be skipped.
 */
export function browserMissing(): string | false {
  if (findBrowser()) return false;
  const remedy = 'no browser: install Chrome, Chromium or Edge, or set CHROME_PATH to one';
  if (process.env['CI']) throw new Error(remedy);
  return remedy;
}

type Params = Record<string, unknown>;

/** A headless browser, spoken to in the DevTools protocol. */
export class Browser {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #socket: WebSocket.Socket;
  readonly #pending = new Map<number, { resolve(result: Params): void; reject(error: Error): void }>();
  readonly #pages = new Map<string, Page>();
  #lastId = 0;

  private constructor(child: ChildProcess, profile: string, socket: WebSocket.Socket) {
    this.#process = child;
    this.#profile = profile;
    this.#socket = socket;
    socket.on('message', ({ data }) => this.#receive(JSON.parse(String(data))));
  }

  /** Starts it with these variables on top of the environment. */
  static async launch(env: Record<string, string> = {}): Promise<Browser> {
    const program = findBrowser();
    if (!program) throw new Error('No browser was found; CHROME_PATH can name one.');
    const profile = mkdtempSync(join(tmpdir(), 'dante-browser-'));
    const child = spawn(
      program,
      [
        '--headless=new',
        '--remote-debugging-port=0',
        `--user-data-dir=${profile}`,
        '--no-sandbox',
        '--disable-gpu',
        // Fading in takes a machine without a graphics card most of its time.
        '--force-prefers-reduced-motion',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--disable-dev-shm-usage',
        'about:blank',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } },
    );
    let log = '';
    child.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const url = await until(() => {
      if (child.exitCode !== null) throw new Error(`${program} did not start: ${log}`);
      return /DevTools listening on (ws:\S+)/.exec(log)?.[1];
    }, 'the browser to listen');
    const socket = new WebSocket.Client(url);
    await once(socket, 'open');
    return new Browser(child, profile, socket);
  }

  async send(method: string, params: Params = {}, sessionId?: string): Promise<Params> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) }));
    });
  }

  /** Opens a tab of its own cookies and cache. */
  async open(url: string, { width = 1280, height = 800, dark = false, before = '' } = {}): Promise<Page> {
    const { browserContextId } = await this.send('Target.createBrowserContext');
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank', browserContextId });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, String(sessionId), String(targetId));
    this.#pages.set(String(sessionId), page);
    await page.send('Page.enable');
    await page.send('Runtime.enable');
    await page.send('Log.enable');
    await page.send('Network.enable');
    await page.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
    await page.send('Emulation.setEmulatedMedia', {
      features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }],
    });
    if (before) await page.send('Page.addScriptToEvaluateOnNewDocument', { source: before });
    await page.navigate(url);
    return page;
  }

  async close(): Promise<void> {
    const exited = once(this.#process, 'exit');
    await this.send('Browser.close').catch(() => this.#process.kill('SIGKILL'));
    await exited;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  #receive(message: { id?: number; result?: Params; error?: Params; sessionId?: string; method?: string; params?: Params }): void {
    if (message.id !== undefined) {
      const call = this.#pending.get(message.id);
      this.#pending.delete(message.id);
      if (message.error) call?.reject(new Error(JSON.stringify(message.error)));
      else call?.resolve(message.result ?? {});
    } else if (message.sessionId) {
      this.#pages.get(message.sessionId)?.receive(message.method ?? '', message.params ?? {});
    }
  }
}

/** One tab. */
export class Page {
  /** Console errors, uncaught exceptions and what the browser itself logs as errors (CSP included). */
  readonly errors: string[] = [];
  #loaded = 0;

  constructor(
    readonly browser: Browser,
    readonly sessionId: string,
    readonly targetId: string,
  ) {}

  send(method: string, params: Params = {}): Promise<Params> {
    return this.browser.send(method, params, this.sessionId);
  }

  async navigate(url: string): Promise<void> {
    const loaded = this.#loaded;
    const { errorText } = await this.send('Page.navigate', { url });
    if (errorText) throw new Error(`${url}: ${String(errorText)}`);
    await until(() => this.#loaded > loaded, `${url} to load`);
  }

  /** Evaluates an expression in the page and returns its value, awaited. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return (result as { value: T }).value; // What the page answers has no type here.
  }

  /** Waits until an expression is truthy in the page. */
  async wait(expression: string, timeoutMs?: number): Promise<void> {
    await until(() => this.evaluate<boolean>(`Boolean(${expression})`), expression, timeoutMs);
  }

  /** Presses a button as a user would: found by its text, clicked in its middle. */
  async press(text: string): Promise<void> {
    const find = `[...document.querySelectorAll('button')].find((button) => button.textContent === ${JSON.stringify(text)} && button.offsetParent)`;
    await this.wait(find);
    const { x, y } = await this.evaluate<{ x: number; y: number }>(
      `(({ x, y, width, height }) => ({ x: x + width / 2, y: y + height / 2 }))(${find}.getBoundingClientRect())`,
    );
    const click = { x, y, button: 'left', clickCount: 1 };
    await this.send('Input.dispatchMouseEvent', { type: 'mousePressed', ...click });
    await this.send('Input.dispatchMouseEvent', { type: 'mouseReleased', ...click });
  }

  /** A picture of what is in view, as PNG. */
  async screenshot(): Promise<Buffer> {
    const { data } = await this.send('Page.captureScreenshot', { format: 'png' });
    return Buffer.from(String(data), 'base64');
  }

  async close(): Promise<void> {
    await this.browser.send('Target.closeTarget', { targetId: this.targetId });
  }

  receive(method: string, params: Params): void {
    if (method === 'Page.loadEventFired') this.#loaded += 1;
    if (method === 'Runtime.exceptionThrown') this.errors.push(JSON.stringify(params['exceptionDetails']));
    if (method === 'Runtime.consoleAPICalled' && params['type'] === 'error') {
      this.errors.push(JSON.stringify(params['args']));
    }
    if (method === 'Log.entryAdded') {
      const entry = params['entry'] as { level: string; text: string }; // Of the protocol's own shape.
      if (entry.level === 'error') this.errors.push(entry.text);
    }
  }
}
