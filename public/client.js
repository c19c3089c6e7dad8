// @ts-check
import { Reading } from './reading.js';

/**
 * @template {Element} T
 * @param {string} selector
 * @param {new () => T} type
 */
function find(selector, type) {
  const element = document.querySelector(selector);
  if (element instanceof type) return element;
  throw new Error(`The page has no ${selector}.`);
}

const list = find('#messages', HTMLOListElement);
const progress = find('#progress', HTMLProgressElement);
const status = find('#status', HTMLParagraphElement);
const action = find('#action', HTMLButtonElement);

// A progress bar without `max` means a stream without end.
const total = progress.hasAttribute('max') ? progress.max : Infinity;

// The stream is next to this file, wherever the page is mounted.
const streamUrl = new URL('ws', import.meta.url);

const reading = new Reading({
  total,
  connect(from) {
    const url = new URL(`?from=${from}`, streamUrl);
    url.protocol = url.protocol.replace('http', 'ws');
    return new WebSocket(url);
  },
  probe: async (signal) => (await fetch(streamUrl, { cache: 'no-store', signal })).status,
  onMessage: show,
  onState: tell,
});

const count = () => `${reading.heard}${total === Infinity ? '' : ` of ${total}`}`;
const position = () => (reading.heard ? `Message ${count()}` : 'Connected');
const pause = () => reading.pause();
const resume = () => reading.resume();

/** The status text of each state, and the button's label and action. */
const STATES = {
  connecting: { text: () => 'Connecting…', label: 'Pause', act: pause },
  reading: { text: position, label: 'Pause', act: pause },
  waiting: { text: () => 'Connection lost', label: 'Reconnect', act: resume },
  paused: { text: () => `Paused at ${count()}`, label: 'Continue', act: resume },
  ended: { text: () => 'The end', label: 'Read again', act: restart },
  refused: { text: () => 'Connection refused', label: 'Retry', act: resume },
};

/** @param {string} message */
function show(message) {
  const item = document.createElement('li');
  for (const verse of message.split('\n')) {
    const line = document.createElement('span');
    line.className = 'verse';
    line.textContent = verse;
    item.append(line, '\n');
  }
  look();
  list.append(item);
  follow();
}

/** @param {import('./reading.js').State} state */
function tell(state) {
  const { text, label } = STATES[state.name];
  const wait = state.name === 'waiting' ? `, retrying in ${state.seconds} s` : '';
  const { dataset } = document.body;
  // A screen reader announces a new state, but not each message or second.
  status.setAttribute('aria-live', dataset['state'] === state.name ? 'off' : 'polite');
  dataset['state'] = state.name;
  status.textContent = text() + wait;
  action.textContent = label;
  if (total !== Infinity) progress.value = reading.heard;
}

// Follow new messages only while the user is at the end of the page.
let following = true;
let followedTo = 0;

function look() {
  const end = document.documentElement.scrollHeight - innerHeight;
  // Only the user scrolls up. The browser scrolls down when the text above grows.
  following = scrollY > end - 8 || (following && scrollY > followedTo - 8);
}

function follow() {
  if (!following) return;
  scrollTo(0, document.documentElement.scrollHeight);
  followedTo = scrollY;
}

function restart() {
  list.replaceChildren();
  following = true;
  follow();
  reading.restart();
}

action.addEventListener('click', (event) => {
  // Ignore the second click of a double click: it would undo the first.
  if (event.detail < 2) STATES[reading.state.name].act();
});

addEventListener('scroll', look);
addEventListener('resize', follow);
// Larger text makes the page longer without a resize of the window.
new ResizeObserver(follow).observe(document.body);

addEventListener('online', () => reading.reconnectNow());
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') reading.reconnectNow();
});

// A page in the back/forward cache may not hold a connection; it continues when it is shown again.
addEventListener('pagehide', () => {
  if (!['connecting', 'reading', 'waiting'].includes(reading.state.name)) return;
  reading.pause();
  addEventListener('pageshow', resume, { once: true });
});

restart();
