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

const canto = find('#canto', HTMLOListElement);
const progress = find('#progress', HTMLProgressElement);
const status = find('#status', HTMLParagraphElement);
const reconnect = find('#reconnect', HTMLButtonElement);
const action = find('#action', HTMLButtonElement);

// The stream stands beside this file, wherever the page is mounted.
const streamUrl = new URL('ws', import.meta.url);

const reading = new Reading({
  total: progress.max,
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
  onStanza: show,
  onState: tell,
});

/** What the status line says, and what the button does, in each state. */
const WORDS = {
  connecting: () => 'Connecting…',
  reading: () => `Reading stanza ${reading.heard} of ${progress.max}`,
  waiting: () => 'Connection lost',
  paused: () => `Paused after stanza ${reading.heard} of ${progress.max}`,
  ended: () => 'The end of Canto I',
  refused: () => 'The server refuses the connection',
};
const ACTIONS = {
  connecting: { label: 'Pause', act: () => reading.pause() },
  reading: { label: 'Pause', act: () => reading.pause() },
  waiting: { label: 'Pause', act: () => reading.pause() },
  paused: { label: 'Continue', act: () => reading.resume() },
  ended: { label: 'Read again', act: readAgain },
  refused: { label: 'Retry', act: () => reading.resume() },
};

/** @param {string} stanza */
function show(stanza) {
  const { scrollHeight } = document.documentElement;
  const atEnd = canto.childElementCount === 0 || innerHeight + scrollY >= scrollHeight - 8;
  const item = document.createElement('li');
  for (const verse of stanza.split('\n')) {
    const line = document.createElement('span');
    line.className = 'verse';
    line.textContent = verse;
    item.append(line, '\n');
  }
  canto.append(item);
  progress.value = reading.heard;
  // Only a reader at the end of the page wants to follow; another would lose the place.
  if (atEnd) scrollTo(0, document.documentElement.scrollHeight);
}

/** @param {import('./reading.js').State} state */
function tell(state) {
  const seconds = state.name === 'waiting' ? state.seconds : 0;
  const again = seconds ? `, trying again in ${seconds} second${seconds === 1 ? '' : 's'}` : '';
  // A screen reader is told of a new state, not of every stanza or second that it counts.
  status.ariaLive = status.dataset['state'] === state.name ? 'off' : 'polite';
  status.dataset['state'] = state.name;
  status.textContent = WORDS[state.name]() + again;
  action.textContent = ACTIONS[state.name].label;
  reconnect.hidden = state.name !== 'waiting';
}

function readAgain() {
  canto.replaceChildren();
  progress.value = 0;
  reading.restart();
}

action.addEventListener('click', () => ACTIONS[reading.state.name].act());
reconnect.addEventListener('click', () => reading.hurry());
addEventListener('online', () => reading.hurry());

// A page in the back/forward cache may not hold a connection; it goes on when it is shown again.
let interrupted = false;
addEventListener('pagehide', () => {
  interrupted = !['paused', 'ended', 'refused'].includes(reading.state.name);
  if (interrupted) reading.pause();
});
addEventListener('pageshow', (event) => {
  if (event.persisted && interrupted) reading.resume();
});

reading.resume();
