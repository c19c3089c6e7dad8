// @ts-check
import { Reading } from './reading.js';
import { render } from './render.js';

/** @template {Element} T @param {string} selector @param {new () => T} type */
function find(selector, type) {
  const element = document.querySelector(selector);
  if (element instanceof type) return element;
  throw new Error(`The page has no ${selector}.`);
}

const list = find('#messages', HTMLOListElement);
const progress = find('#progress', HTMLProgressElement);
const status = find('#status', HTMLParagraphElement);
const action = find('#action', HTMLButtonElement);

// The stream is next to this file, wherever the page is mounted, and gets the page's own query.
const streamUrl = new URL('ws', import.meta.url); // Vite takes a template for a list of files.
streamUrl.search = location.search;
// fetch() rejects a password in a URL. Browsers send the page's password without it, too.
streamUrl.username = '';
streamUrl.password = '';

/** @type {WebSocket | undefined} */ let socket;
const reading = new Reading({
  // A progress bar without `max` means a stream without end.
  total: progress.hasAttribute('max') ? progress.max : Infinity,
  connect(from, epoch) {
    const url = new URL(streamUrl);
    url.protocol = url.protocol.replace('http', 'ws');
    url.searchParams.set('from', String(from));
    if (epoch !== undefined) url.searchParams.set('epoch', epoch);
    socket = new WebSocket(url);
    socket.binaryType = 'arraybuffer'; // Blobs would be read after the texts that follow them.
    return socket;
  },
  async ask(signal) {
    const answer = await fetch(streamUrl, { cache: 'no-store', redirect: 'manual', signal });
    return answer.type === 'opaqueredirect' ? 302 : answer.status; // Which one is hidden.
  },
  onMessage: show,
  onClear: clear,
  onState: tell,
});

/** Sends at most 1 KiB. Returns false without an open connection. @param {string} text */
export function send(text) {
  if (socket?.readyState !== WebSocket.OPEN) return false;
  socket.send(text);
  return true;
}

/** Why the page waits, by the status of the last answer. @type {Record<number, string>} */
const REASONS = {
  0: 'Unreachable',
  302: 'Login needed?',
  401: 'Log in, then reconnect',
  403: 'Denied: log in?',
  426: 'Refused: reload?', // A WebSocket was: perhaps `from` lies beyond a new text.
  503: 'Busy or starting',
  4008: 'Too much sent',
};

const count = () => `${reading.heard}${reading.total === Infinity ? '' : ` of ${reading.total}`}`;
const unit = status.dataset['unit'] ?? 'Message';
const position = () => (reading.heard ? `${unit} ${count()}` : 'Connected');
const ending = () => (reading.state.isEarly ? 'Ended early' : 'The end');
const reason = ({ status } = reading.state) =>
  (status === undefined ? 'Connection lost' : REASONS[status] ?? `HTTP ${status}`);
const resume = () => reading.resume();

const STATES = {
  connecting: { text: () => 'Connecting…', label: 'Pause', act: () => reading.pause() },
  reading: { text: position, label: 'Pause', act: () => reading.pause() },
  waiting: { text: reason, label: 'Reconnect', act: resume },
  paused: { text: () => `Paused at ${count()}`, label: 'Continue', act: resume },
  ended: { text: ending, label: 'Read again', act: () => reading.restart() },
};

let told = reading.state;
/** @param {import('./reading.js').State} state */
function tell(state) {
  const { text, label } = STATES[state.name];
  const { seconds } = state;
  const wait = seconds ? `, retrying in ${seconds} s` : ', retrying…';
  // A screen reader announces a new state or reason, but not each message or second.
  const isNew = state.name !== told.name || state.status !== told.status;
  status.setAttribute('aria-live', isNew ? 'polite' : 'off');
  status.textContent = text() + (seconds === undefined ? '' : wait);
  action.textContent = label;
  document.body.dataset['state'] = state.name;
  const { total, heard } = reading;
  if (total === Infinity) progress.removeAttribute('value');
  else Object.assign(progress, { max: total, value: heard });
  told = state;
}

/** @type {HTMLElement[]} Messages that the next frame adds to the list. */
let added = [];

/** @param {string} message */
function show(message) {
  const item = document.createElement('li');
  item.value = reading.heard;
  item.append(render(message));
  if (added.push(item) > 1) return;
  if (document.hidden) setTimeout(update, 100); // A hidden page has no frames.
  else requestAnimationFrame(update);
}

// Follow new messages only while the user is at the end of the page.
let following = true;
let followedTo = 0;

/** Adds, trims endless streams, and follows, in one step: look() would take it for scrolling. */
function update() {
  const kept = reading.total < Infinity ? Infinity : following ? 1000 : 10_000;
  if (added.length === 1) added[0]?.classList.add('fades');
  list.append(...added.slice(-kept));
  added = [];
  for (let extra = list.children.length - kept; extra > 0; extra -= 1) list.children[0]?.remove();
  follow();
}

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

function clear() {
  added = [];
  list.replaceChildren();
  following = true;
}

action.addEventListener('click', (event) => {
  // Ignore the second click of a double click: it would undo the first.
  if (event.detail < 2) STATES[reading.state.name].act();
});

addEventListener('scroll', look);
addEventListener('resize', follow);
// Larger text makes the page longer without a resize of the window.
new ResizeObserver(follow).observe(document.body);
for (const type of ['online', 'pageshow']) addEventListener(type, () => reading.reconnectNow());
document.addEventListener('visibilitychange', () => {
  update(); // The next frame may be far.
  if (!document.hidden) reading.reconnectNow();
});
// A page in the back/forward cache may not hold a connection; it continues when it is shown again.
addEventListener('pagehide', () => {
  if (!['connecting', 'reading', 'waiting'].includes(reading.state.name)) return;
  reading.pause();
  addEventListener('pageshow', resume, { once: true });
});

find('footer', HTMLElement).hidden = false;
reading.restart();
