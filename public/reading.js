/**
 * One reading of the canto: when to connect, from where, and what to ignore. Knows no DOM, so that
 * it can be tried with a socket and a clock that are not real.
 */

/** What a reading needs of a WebSocket. @typedef {object} Socket
 * @property {((event: Event) => void) | null} onopen
 * @property {((event: MessageEvent<string>) => void) | null} onmessage
 * @property {((event: CloseEvent) => void) | null} onclose
 * @property {() => void} close
 */

/** What the reading does now; `seconds` to the next try while it waits.
 * @typedef {{ name: 'connecting' | 'reading' | 'paused' | 'ended' | 'refused' }
 *   | { name: 'waiting', seconds: number }} State
 */

/** What a reading works with.
 * @typedef {object} Means
 * @property {number} total how many stanzas there are
 * @property {(from: number) => Socket} connect opens a socket that goes on after `from` stanzas
 * @property {() => Promise<number>} probe the HTTP status of a plain request to the stream, 0 for none
 * @property {(stanza: string) => void} onStanza is told every stanza, once, in order
 * @property {(state: State) => void} onState is told every change, and each second of waiting
 * @property {() => number} [now] milliseconds on a monotonic clock
 * @property {() => number} [random] from 0 to 1, without 1
 * @property {(callback: () => void, delayMs: number) => number} [setTimer]
 * @property {(timer: number | undefined) => void} [clearTimer]
 */

/** The longest wait before the first new try; each further one doubles it, up to the last. */
const FIRST_WAIT_MS = 500;
const LAST_WAIT_MS = 15_000;

/** A connection without a message for this long, or for four intervals, is given up. */
const LEAST_QUIET_MS = 8000;
const QUIET_INTERVALS = 4;

/** How many tries a server that is there may refuse until it is believed. */
const REFUSALS = 3;

/** @param {number} status */
const isRefusal = (status) => status >= 400 && status < 500;

export class Reading {
  /** @type {Required<Means>} */
  #means;
  /** @type {State} */
  #state = { name: 'connecting' };
  /** @type {Socket | undefined} The one connection that is listened to. */
  #socket;
  /** @type {number | undefined} To the next try while waiting, to giving up while connected. */
  #timer;
  /** How many stanzas have been told. */
  #heard = 0;
  /** Tries since the last stanza, and how many of them a server that was there refused. */
  #tries = 0;
  #refusals = 0;
  /** For how long a connection may say nothing, in milliseconds. */
  #quietMs = LEAST_QUIET_MS;

  /** @param {Means} means */
  constructor(means) {
    this.#means = {
      now: () => performance.now(),
      random: Math.random,
      setTimer: (callback, delayMs) => setTimeout(callback, delayMs),
      clearTimer: (timer) => clearTimeout(timer),
      ...means,
    };
  }

  /** How many stanzas have been told. */
  get heard() {
    return this.#heard;
  }

  get state() {
    return this.#state;
  }

  /** Goes on where it was, at once; does nothing while connected or at the end. */
  resume() {
    if (this.#socket || this.#state.name === 'ended') return;
    this.#tries = 0;
    this.#refusals = 0;
    this.#connect();
  }

  /** Stops until `resume()`. */
  pause() {
    if (this.#state.name === 'ended') return;
    this.#drop();
    this.#enter({ name: 'paused' });
  }

  /** Begins again with the first stanza. */
  restart() {
    this.#drop();
    this.#heard = 0;
    this.#state = { name: 'paused' };
    this.resume();
  }

  /** Tries now if it was waiting, for the next attempt may well succeed. */
  hurry() {
    if (this.#state.name === 'waiting') this.resume();
  }

  #connect() {
    this.#drop();
    const { connect, now, onStanza, total } = this.#means;
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
      this.#tries = 0;
      this.#refusals = 0;
      this.#heard += 1;
      onStanza(data);
      this.#enter({ name: 'reading' });
      this.#watch(messages);
    };
    socket.onclose = ({ code }) => {
      if (socket !== this.#socket) return;
      this.#drop();
      // With stanzas missing, a close with 1000 is the end only if there was nothing left to say.
      const ended = this.#heard >= total || (code === 1000 && opened && messages === 0);
      if (ended) return this.#enter({ name: 'ended' });
      this.#wait();
      if (!opened) this.#ask();
    };
    this.#enter({ name: 'connecting' });
    this.#watch(messages);
  }

  /** Lets go of the connection without waiting for its close, and of the timer. */
  #drop() {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    this.#means.clearTimer(this.#timer);
  }

  /** @param {number} intervalMs */
  #learn(intervalMs) {
    this.#quietMs = Math.max(LEAST_QUIET_MS, QUIET_INTERVALS * intervalMs);
  }

  /** @param {number} messages how many have come over this connection */
  #watch(messages) {
    const { setTimer, clearTimer } = this.#means;
    clearTimer(this.#timer);
    this.#timer = setTimer(() => {
      // One message shows no pace: this may be a slow stream, so listen longer the next time.
      if (messages === 1) this.#quietMs *= 2;
      this.#drop();
      this.#wait();
    }, this.#quietMs);
  }

  /** Full jitter: a thousand pages that lost one server do not return in one wave. */
  #wait() {
    const longest = Math.min(LAST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#tries);
    this.#tries += 1;
    this.#countDown(this.#means.now() + this.#means.random() * longest);
  }

  /** @param {number} until */
  #countDown(until) {
    const leftMs = until - this.#means.now();
    if (leftMs <= 0) return this.#connect();
    this.#enter({ name: 'waiting', seconds: Math.ceil(leftMs / 1000) });
    this.#timer = this.#means.setTimer(() => this.#countDown(until), leftMs % 1000 || 1000);
  }

  /** A browser does not tell a page why a handshake failed; a plain request shows who is there. */
  async #ask() {
    const status = await this.#means.probe();
    if (this.#state.name !== 'waiting' && this.#state.name !== 'connecting') return;
    this.#refusals = isRefusal(status) ? this.#refusals + 1 : 0;
    if (this.#refusals < REFUSALS) return;
    this.#drop();
    this.#enter({ name: 'refused' });
  }

  /** @param {State} state */
  #enter(state) {
    this.#state = state;
    this.#means.onState(state);
  }
}
