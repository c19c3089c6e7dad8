import { Reading } from './reading.js';

/**
 * @template {Element} T
 * @param {string} selector
 * @param {new () => T} type
 * @returns {T}
 */
function find(selector, type) {
  const element = document.querySelector(selector);
  if (element instanceof type) return element;
  throw new Error(`The page has no ${selector}.`);
}

const list = find('#messages', HTMLOListElement);
const progress = find('#progress', HTMLProgressElement);
const status = find('#status', HTMLParagraphElement);
const reconnect = find('#reconnect', HTMLButtonElement);
const action = find('#action', HTMLButtonElement);

// A progress bar without `max` is that of a stream without end.
const total = progress.hasAttribute('max') ? progress.max : Infinity;

// The stream stands beside this file, wherever the page is mounted.
const streamUrl = new URL('ws', import.meta.url);

const reading = new Reading({
  total,
  connect(from) {
    const url = new URL(`?from=${from}`, streamUrl);
    url.protocol = url.protocol.replace('http', 'ws');
    return new WebSocket(url);
  },
  probe: () =>
    fetch(streamUrl, { cache: 'no-store' }).then(
      (response) => response.status,
      () => 0,
    ),
  onMessage: show,
  onState: tell,
});

const position = () => (total === Infinity ? reading.heard : `${reading.heard} of ${total}`);
const pause = () => reading.pause();
const resume = () => reading.resume();

/** In each state: what the status line says, and what the button is called and does. */
const STATES = {
  connecting: { words: () => 'Connecting…', label: 'Pause', act: pause },
  reading: { words: () => `Message ${position()}`, label: 'Pause', act: pause },
  waiting: { words: () => 'Connection lost', label: 'Pause', act: pause },
  paused: { words: () => `Paused after message ${position()}`, label: 'Continue', act: resume },
  ended: { words: () => 'The end', label: 'Read again', act: restart },
  refused: { words: () => 'The server refuses the connection', label: 'Retry', act: resume },
};

/** @param {string} message */
function show(message) {
  const { scrollHeight } = document.documentElement;
  const atEnd = list.childElementCount === 0 || innerHeight + scrollY >= scrollHeight - 8;
  const item = document.createElement('li');
  for (const verse of message.split('\n')) {
    const line = document.createElement('span');
    line.className = 'verse';
    line.textContent = verse;
    item.append(line, '\n');
  }
  list.append(item);
  if (total !== Infinity) progress.value = reading.heard;
  // Only a reader at the end of the page wants to follow; another would lose the place.
  if (atEnd) scrollTo(0, document.documentElement.scrollHeight);
}

/** @param {import('./reading.js').State} state */
function tell(state) {
  const { words, label } = STATES[state.name];
  const again = state.name === 'waiting' ? `, trying again in ${state.seconds} s` : '';
  // A screen reader is told of a new state, not of every message or second that it counts.
  status.ariaLive = status.dataset['state'] === state.name ? 'off' : 'polite';
  status.dataset['state'] = state.name;
  status.textContent = words() + again;
  action.textContent = label;
  reconnect.hidden = state.name !== 'waiting';
}

function restart() {
  list.replaceChildren();
  if (total !== Infinity) progress.value = 0;
  reading.restart();
}

action.addEventListener('click', () => STATES[reading.state.name].act());
reconnect.addEventListener('click', () => reading.reconnectNow());
addEventListener('online', () => reading.reconnectNow());
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') reading.reconnectNow();
});

// A page in the back/forward cache may not hold a connection; it goes on when it is shown again.
let interrupted = false;
addEventListener('pagehide', () => {
  interrupted = !['paused', 'ended', 'refused'].includes(reading.state.name);
  if (interrupted) reading.pause();
});
addEventListener('pageshow', (event) => {
  if (event.persisted && interrupted) reading.resume();
});

restart();
