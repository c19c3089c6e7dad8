// @ts-check
/**
 * The client without the page: when to connect, from where, and when to stop. It does not use the
 * DOM, so tests can run it on fake sockets and a fake clock.
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
 * @property {(from: number) => Socket} connect opens a socket that continues after `from` messages
 * @property {(signal: AbortSignal) => Promise<number>} probe the HTTP status of a plain request
 * @property {(message: string) => void} onMessage gets every message, once, in order
 * @property {(state: State) => void} onState gets every state, and each second of waiting
 */

/** The longest wait before the first retry. It doubles with each retry, up to the maximum. */
const MIN_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 15_000;

/** The server is never silent for more than 5 s, so a connection is lost after this silence. */
const MAX_SILENCE_MS = 12_000;

/** How many consecutive refusals it takes to give up. */
const MAX_REFUSALS = 3;

/** 4xx is permanent, except Request Timeout, Too Early and Too Many Requests. */
const REFUSAL = /^4(?!08|25|29)/;

export class Reading {
  /** How many messages were heard. */
  heard = 0;
  /** @type {State} */
  state = { name: 'connecting' };
  /** @type {Options} */
  #options;
  /** @type {Socket | undefined} */
  #socket;
  /** @type {number | undefined} Ends the wait, or a connection that is silent. */
  #timer;
  /** Ends the probe of the last attempt. */
  #probe = new AbortController();
  /** Attempts since the server was last heard, and how many of them it refused. */
  #attempts = 0;
  #refusals = 0;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
  }

  /** Continues after the last message, at once. Does nothing while connected or at the end. */
  resume() {
    if (this.#socket || this.state.name === 'ended') return;
    this.#attempts = this.#refusals = 0;
    this.#connect();
  }

  /** Stops until `resume()`. */
  pause() {
    if (this.state.name !== 'ended') this.#stop({ name: 'paused' });
  }

  /** Starts again with the first message. */
  restart() {
    this.heard = 0;
    this.#stop({ name: 'paused' });
    this.resume();
  }

  /** Ends a wait or a refusal: call it when the next attempt is likely to succeed. */
  reconnectNow() {
    if (this.state.name === 'waiting' || this.state.name === 'refused') this.resume();
  }

  #connect() {
    const { connect, onMessage, total } = this.#options;
    this.#drop();
    const from = this.heard;
    const socket = (this.#socket = connect(from));
    let opened = false;

    socket.onopen = () => {
      opened = true;
      this.#watch();
    };
    socket.onmessage = ({ data }) => {
      this.#attempts = this.#refusals = 0;
      // An empty message is only a sign of life.
      if (data !== '') this.heard += 1;
      this.#watch();
      this.#setState({ name: 'reading' });
      if (data === '') return;
      onMessage(data);
      // Do not wait for the close: under iisnode it arrives 2 s late.
      if (this.heard >= total) this.#stop({ name: 'ended' });
    };
    socket.onclose = ({ code }) => {
      // 1000 ends an endless stream, and one without further messages. Else messages are missing.
      if (code === 1000 && (total === Infinity || (opened && this.heard === from))) {
        return this.#stop({ name: 'ended' });
      }
      this.#drop();
      if (!opened) this.#ask();
      this.#wait();
    };
    this.#watch();
    this.#setState({ name: 'connecting' });
  }

  /** Leaves the connection without waiting for its close. */
  #drop() {
    clearTimeout(this.#timer);
    this.#probe.abort();
    if (!this.#socket) return;
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    this.#socket = undefined;
  }

  #watch() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#drop();
      this.#wait();
    }, MAX_SILENCE_MS);
  }

  /** Waits for a random time, so that pages that lost one server do not all return at once. */
  #wait() {
    const backoffMs = Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** this.#attempts);
    this.#attempts += 1;
    const endMs = performance.now() + Math.random() * backoffMs;
    const countDown = () => {
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) return this.#connect();
      this.#timer = setTimeout(countDown, leftMs % 1000 || 1000);
      this.#setState({ name: 'waiting', seconds: Math.ceil(leftMs / 1000) });
    };
    countDown();
  }

  /** A plain request tells why a handshake failed: 426 if something in between drops upgrades. */
  async #ask() {
    const { signal } = (this.#probe = new AbortController());
    const status = await this.#options.probe(signal).catch(() => 0);
    if (signal.aborted) return;
    this.#refusals = REFUSAL.test(`${status}`) ? this.#refusals + 1 : 0;
    if (this.#refusals >= MAX_REFUSALS) this.#stop({ name: 'refused' });
  }

  /** @param {State} state one that ends only by a call from outside */
  #stop(state) {
    this.#drop();
    this.#setState(state);
  }

  /** @param {State} state */
  #setState(state) {
    this.state = state;
    this.#options.onState(state);
  }
}
