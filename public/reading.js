/**
 * One reading of the stream: when to connect, from where, and what to ignore. Knows no DOM, so that
 * it can be tried with a socket and a clock that are not real.
 */

/** What a reading needs of a WebSocket. @typedef {object} Socket
 * @property {((event: Event) => void) | null} onopen
 * @property {((event: MessageEvent<string>) => void) | null} onmessage
 * @property {((event: CloseEvent) => void) | null} onclose
 * @property {() => void} close
 */

/** What the reading does now; `seconds` to the next attempt while it waits.
 * @typedef {{ name: 'connecting' | 'reading' | 'paused' | 'ended' | 'refused' }
 *   | { name: 'waiting', seconds: number }} State
 */

/** What a reading works with.
 * @typedef {object} Options
 * @property {number} total how many messages there are; Infinity for a stream without end
 * @property {(from: number) => Socket} connect opens a socket that goes on after `from` messages
 * @property {() => Promise<number>} probe the HTTP status of a plain request to the stream, 0 for none
 * @property {(message: string) => void} onMessage is told every message, once, in order
 * @property {(state: State) => void} onState is told every change, and each second of waiting
 * @property {() => number} [now] milliseconds on a monotonic clock
 * @property {() => number} [random] from 0 to 1, without 1
 * @property {(callback: () => void, delayMs: number) => number} [setTimer]
 * @property {(timer: number | undefined) => void} [clearTimer]
 */

/** The longest wait before the first new attempt; each further one doubles it, up to the last. */
const MIN_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 15_000;

/** A connection without a message for this long, or for four intervals, is given up. */
const MIN_IDLE_TIMEOUT_MS = 8000;
const IDLE_INTERVALS = 4;

/** How many attempts a server that is there may refuse until it is believed. */
const MAX_REFUSALS = 3;

export class Reading {
  /** @type {Required<Options>} */
  #options;
  /** @type {State} */
  #state = { name: 'connecting' };
  /** @type {Socket | undefined} The one connection that is listened to. */
  #socket;
  /** @type {number | undefined} To the next attempt while waiting, to giving up while connected. */
  #timer;
  /** How many messages have been told. */
  #heard = 0;
  /** Attempts since the last message, and how many of them a server that was there refused. */
  #attempts = 0;
  #refusals = 0;
  /** For how long a connection may say nothing. */
  #idleTimeoutMs = MIN_IDLE_TIMEOUT_MS;

  /** @param {Options} options */
  constructor(options) {
    this.#options = {
      now: () => performance.now(),
      random: Math.random,
      setTimer: (callback, delayMs) => setTimeout(callback, delayMs),
      clearTimer: (timer) => clearTimeout(timer),
      ...options,
    };
  }

  /** How many messages have been told. */
  get heard() {
    return this.#heard;
  }

  get state() {
    return this.#state;
  }

  /** Goes on where it was, at once; does nothing while connected or at the end. */
  resume() {
    if (this.#socket || this.#state.name === 'ended') return;
    this.#attempts = 0;
    this.#refusals = 0;
    this.#connect();
  }

  /** Stops until `resume()`. */
  pause() {
    if (this.#state.name !== 'ended') this.#stop({ name: 'paused' });
  }

  /** Begins again with the first message. */
  restart() {
    this.#heard = 0;
    this.#stop({ name: 'paused' });
    this.resume();
  }

  /** Connects now if it was waiting or refused, for the next attempt may well succeed. */
  reconnectNow() {
    if (this.#state.name === 'waiting' || this.#state.name === 'refused') this.resume();
  }

  #connect() {
    const { connect, now, onMessage, total } = this.#options;
    this.#drop();
    const socket = (this.#socket = connect(this.#heard));
    let opened = false;
    let messages = 0;
    let firstAt = 0;

    socket.onopen = () => {
      opened = true;
    };
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      messages += 1;
      if (messages === 1) firstAt = now();
      // The mean, not the last gap: what a stalled network holds back comes in one burst.
      else this.#learn((now() - firstAt) / (messages - 1));
      this.#attempts = 0;
      this.#refusals = 0;
      this.#heard += 1;
      onMessage(data);
      // The last message is the end: a host may keep the close to itself, or bring it late.
      if (this.#heard >= total) return this.#stop({ name: 'ended' });
      this.#setState({ name: 'reading' });
      this.#watch(messages);
    };
    socket.onclose = ({ code }) => {
      if (socket !== this.#socket) return;
      // 1000 ends a stream without end, and one that had nothing to add. Else messages are missing.
      if (code === 1000 && (total === Infinity || (opened && messages === 0))) {
        return this.#stop({ name: 'ended' });
      }
      this.#drop();
      this.#wait();
      if (!opened) this.#ask();
    };
    this.#setState({ name: 'connecting' });
    this.#watch(messages);
  }

  /** Lets go of the connection without waiting for its close, and of the timer. */
  #drop() {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    this.#options.clearTimer(this.#timer);
  }

  /** @param {number} intervalMs */
  #learn(intervalMs) {
    this.#idleTimeoutMs = Math.max(MIN_IDLE_TIMEOUT_MS, IDLE_INTERVALS * intervalMs);
  }

  /** @param {number} messages how many have come over this connection */
  #watch(messages) {
    const { setTimer, clearTimer } = this.#options;
    clearTimer(this.#timer);
    this.#timer = setTimer(() => {
      // One message shows no pace: this may be a slow stream, so listen longer the next time.
      if (messages === 1) this.#idleTimeoutMs *= 2;
      this.#drop();
      this.#wait();
    }, this.#idleTimeoutMs);
  }

  /** Full jitter: a thousand pages that lost one server do not return in one wave. */
  #wait() {
    const { now, random } = this.#options;
    const backoffMs = Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** this.#attempts);
    this.#attempts += 1;
    this.#countDown(now() + random() * backoffMs);
  }

  /** @param {number} until */
  #countDown(until) {
    const leftMs = until - this.#options.now();
    if (leftMs <= 0) return this.#connect();
    this.#setState({ name: 'waiting', seconds: Math.ceil(leftMs / 1000) });
    this.#timer = this.#options.setTimer(() => this.#countDown(until), leftMs % 1000 || 1000);
  }

  /**
   * A browser does not tell a page why a handshake failed; a plain request shows who is there. What
   * a 4xx says will not go away by itself, 426 included: somebody on the way passes no upgrades.
   */
  async #ask() {
    const status = await this.#options.probe();
    if (this.#state.name !== 'waiting' && this.#state.name !== 'connecting') return;
    this.#refusals = status >= 400 && status < 500 ? this.#refusals + 1 : 0;
    if (this.#refusals >= MAX_REFUSALS) this.#stop({ name: 'refused' });
  }

  /** @param {State} state in which nothing goes on by itself */
  #stop(state) {
    this.#drop();
    this.#setState(state);
  }

  /** @param {State} state */
  #setState(state) {
    this.#state = state;
    this.#options.onState(state);
  }
}
