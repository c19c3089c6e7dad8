// @ts-check
/**
 * The client without the page: when to connect, from where, and when to stop. It does not use the
 * DOM, so that tests can run it in memory.
 *
 * @typedef {Pick<WebSocket, 'onopen' | 'onmessage' | 'onclose' | 'close'>} Socket
 * @typedef {object} State What the reading does now.
 * @property {'connecting' | 'reading' | 'waiting' | 'paused' | 'ended'} name
 * @property {number} [seconds] the rest of a wait, 0 during an attempt; none if `resume()` ends it
 * @property {number | undefined} [status] why it waits: the HTTP status of the last answer, 0
 *   without one, 4008 after too many messages, undefined after a loss
 * @property {boolean} [isEarly] whether it ended before its last message
 *
 * @typedef {object} Options What a reading works with.
 * @property {number} total how many messages there are, Infinity without an end; hello may differ
 * @property {(from: number, epoch: string | undefined) => Socket} connect opens a socket that
 *   continues after `from` messages of an epoch; its binary messages are ArrayBuffers
 * @property {(signal: AbortSignal) => Promise<number>} ask sends a plain request that follows no
 *   redirect; resolves with the HTTP status, rejects without a connection
 * @property {(message: string) => void} onMessage gets every message, once, in order
 * @property {() => void} onClear forgets what was heard: `restart()`, or another epoch
 * @property {(state: State) => void} onState gets every state, and each second of waiting
 */

const MIN_BACKOFF_MS = 500; // The longest wait before the first retry. It doubles with each one.
const MAX_BACKOFF_MS = 15_000;
const LONG_OUTAGE_MS = 300_000; // After such an outage, every wait is a minute.
const LONG_WAIT_MS = 60_000;
const MAX_SILENCE_MS = 12_000; // Then a connection is lost: the server speaks every 5 s.
const MAX_ANSWER_MS = 3_000; // How long a plain request may take.
const TOO_MANY = 4008; // The server's close code for a client that sends too many messages.

export class Reading {
  /** How many messages were heard. */ heard = 0;
  /** @type {State} */ state = { name: 'paused' };
  /** @type {Options} */ #options;
  /** @type {Socket | undefined} */ #socket;
  /** @type {number | undefined} Ends a wait, a plain request, or a connection that is silent. */
  #timer;
  /** @type {AbortController | undefined} Of the plain request that has no answer yet. */ #asking;
  /** @type {number | undefined} As in State. */ #status;
  /** @type {string | undefined} Of the messages that were heard. */ #epoch;
  #earlyEnds = 0; // Since the last message.
  #attempts = 0; // Since the server was last heard.
  #lostAtMs = 0; // When the first of them failed.
  #heardAtMs = 0; // By the wall clock: monotonic clocks may stop while a machine sleeps.

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.total = options.total;
  }

  /** Continues after the last message, at once. Does nothing while connected or at the end. */
  resume() {
    if (this.state.name === 'paused' || this.state.name === 'waiting') this.#start();
  }

  /** Stops until `resume()`. */
  pause() {
    if (this.state.name !== 'ended') this.#stop({ name: 'paused' });
  }

  /** Starts again with the first message. */
  restart() {
    this.heard = 0;
    this.#options.onClear();
    this.#start();
  }

  /** Ends a wait, or a silence of 6 s: call it when another connection is likely to be better. */
  reconnectNow() {
    const silentMs = Math.abs(Date.now() - this.#heardAtMs); // Clocks are set back, too.
    const isDead = this.#socket !== undefined && silentMs > MAX_SILENCE_MS / 2;
    if (isDead || this.state.seconds !== undefined) this.#start();
  }

  #start() {
    this.#attempts = 0;
    this.#stop({ name: 'connecting' });
    this.#attempt();
  }

  /** Firefox delays a WebSocket after failed ones, up to a minute: first send a plain request. */
  async #attempt() {
    // The last one may still wait, for a dead connection or for a password.
    if (this.#status === undefined || this.#asking) return this.#connect();
    const asking = (this.#asking = new AbortController());
    this.#timer = setTimeout(() => {
      this.#status = 0;
      this.#connect(); // A host may pass on WebSockets, but no plain requests.
    }, MAX_ANSWER_MS);
    const status = await this.#options.ask(asking.signal).catch(() => 0);
    if (this.#asking !== asking) return; // Nobody needs the answer any more.
    this.#asking = undefined;
    this.#status = status;
    // Another request may ask for a password again.
    if (status === 401) this.#stop({ name: 'waiting', status });
    else if (status === 0 || (status >= 300 && status < 400) || status >= 500) this.#wait();
    else if (!this.#socket) this.#connect();
  }

  #connect() {
    this.#drop();
    const socket = (this.#socket = this.#options.connect(this.heard, this.#epoch));
    socket.onopen = () => {
      this.#asking?.abort();
      this.#asking = undefined;
      this.#status = undefined;
      this.#watch();
      this.#setState({ name: 'reading' });
    };
    socket.onmessage = ({ data }) => {
      this.#watch();
      if (data.byteLength > 0) return this.#follow(JSON.parse(new TextDecoder().decode(data)));
      this.#attempts = 0;
      // Messages are text. An empty binary message is only a sign of life.
      if (typeof data !== 'string') return;
      this.#earlyEnds = 0;
      this.heard += 1;
      this.#setState({ name: 'reading' });
      this.#options.onMessage(data);
      // Do not wait for the close: under iisnode it arrives 2 s late.
      if (this.heard >= this.total) this.#stop({ name: 'ended' });
    };
    socket.onclose = ({ code }) => {
      if (code === TOO_MANY) this.#status = code;
      if (code !== 1000) return this.#wait();
      if (this.total === Infinity || this.heard >= this.total) return this.#stop({ name: 'ended' });
      // A proxy may have ended it. Or there are fewer messages than the page expects.
      this.#earlyEnds += 1;
      if (this.#earlyEnds > 3) this.#stop({ name: 'ended', isEarly: true });
      else this.#wait();
    };
    this.#watch();
  }

  /** Goes where hello says. @param {{ epoch: string, from: number, total: number | null }} hello */
  #follow({ epoch, from, total }) {
    if (this.#epoch !== undefined && epoch !== this.#epoch) this.#options.onClear();
    this.#epoch = epoch;
    this.heard = from;
    this.total = total ?? Infinity;
    this.#setState({ name: 'reading' });
  }

  /** Leaves the connection without waiting for its close. */
  #drop() {
    clearTimeout(this.#timer);
    if (!this.#socket) return;
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    this.#socket = undefined;
  }

  #watch() {
    this.#heardAtMs = Date.now();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // After a busy time, this timer fires before messages that have arrived: let them in.
      this.#timer = setTimeout(() => this.#wait(), 0);
    }, MAX_SILENCE_MS);
  }

  /** Waits for a random time, so that pages that lost one server do not all return at once. */
  #wait() {
    this.#drop();
    if (this.state.name !== 'reading') this.#status ??= 0; // A handshake failed.
    const nowMs = performance.now();
    if (this.#attempts === 0) this.#lostAtMs = nowMs;
    const backoffMs = Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** this.#attempts);
    const isLong = nowMs - this.#lostAtMs > LONG_OUTAGE_MS || this.#status === TOO_MANY;
    const endMs = nowMs + (isLong ? LONG_WAIT_MS : Math.random() * backoffMs);
    this.#attempts += 1;
    const countDown = () => {
      const leftMs = Math.max(0, endMs - performance.now());
      if (leftMs === 0) this.#attempt();
      else this.#timer = setTimeout(countDown, leftMs % 1000 || 1000);
      this.#setState({ name: 'waiting', seconds: Math.ceil(leftMs / 1000), status: this.#status });
    };
    countDown();
  }

  /** @param {State} state one that ends only by a call from outside */
  #stop(state) {
    this.#drop();
    this.#asking?.abort();
    this.#asking = undefined;
    this.#setState(state);
  }

  /** @param {State} state */
  #setState(state) {
    this.state = state;
    this.#options.onState(state);
  }
}
