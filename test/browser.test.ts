import './support/bounds.js';
import { MESSAGES, scene } from './support/browser.js';

scene('below any path it shows the whole stream', async ({ $, status, items, frames }) => {
  while (status() !== 'The end' || items().length < 46) await frames();
  const texts = items().map((item) => item.textContent);
  return [texts, $<HTMLProgressElement>('progress').value, $('#messages').ariaLive];
}, [MESSAGES, 46, 'polite'], 'dante');

scene('each state has its text, label and calls, keeps focus, fits any size', async (helpers) => {
  const { frame, page, reading, root, $, status, items, frames } = helpers;
  const action = $('#action');
  const heights: Record<string, number> = {};
  const said: Record<string, string[]> = {}; // By label, aria-live and calls.
  page.requestAnimationFrame = () => 0; // No frame comes. A page that is hidden needs none.
  reading.total = 46;
  reading.send('x'.repeat(9999), ...Array(44).fill('Midway upon the journey of our life'));
  action.focus();
  const reasons = [undefined, 0, 302, 401, 403, 404, 503, 4008].map((status) => ({ status }));
  for (const { name = 'waiting', ...why } of [
    { name: 'connecting' }, { name: 'reading' }, ...reasons, { name: 'paused' }, { name: 'ended' },
    { seconds: 60, status: 426 }, { seconds: 0, status: 426 }, { name: 'ended', isEarly: true },
  ] as { name?: 'waiting' }[]) {
    reading.set({ name, ...why });
    for (const detail of [1, 2]) action.dispatchEvent(new MouseEvent('click', { detail }));
    for (const [type, value] of Object.entries({ pagehide: false, pageshow: true, online: true })) {
      Object.defineProperty(page.document, 'hidden', { value, configurable: true });
      page.document.dispatchEvent(new Event('visibilitychange'));
      page.dispatchEvent(new Event(type));
    }
    const calls = reading.calls.splice(0);
    (said[[action.textContent, $('#status').ariaLive, ...calls].join(' ')] ??= []).push(status());
    for (const width of [1280, 768, 480, 360, 320]) for (const size of [100, 200]) {
      frame.style.width = `${width}px`;
      root.style.fontSize = `${size}%`;
      const where = `${width} px, ${size} %`;
      const isCut = [...root.querySelectorAll('*')].some((e) => e.getBoundingClientRect().x < 0);
      const isWide = root.scrollWidth > root.clientWidth;
      const height = $('footer').offsetHeight;
      const limit = size === 100 ? 70 : 568 / 3; // One row; a third of a small phone.
      const isHigh = height > limit || height !== (heights[where] ??= height);
      if (isCut || isWide || isHigh) throw new Error(`${status()} does not fit ${where}`);
    }
  }
  reading.send('This comes while the page is hidden.');
  while (items().length < 46) await frames();
  return [said, page.document.activeElement === action];
}, [{ // Two clicks are one. Then: visible, pagehide, hidden, pageshow, online.
  'Pause polite restart wake pause wake pause wake resume wake': ['Connecting…'], // Just loaded.
  'Pause polite pause wake pause wake resume wake': ['Message 45 of 46'],
  'Reconnect polite resume wake pause wake resume wake': [
    'Connection lost', 'Unreachable', 'Login needed?', 'Log in, then reconnect', 'Denied: log in?',
    'HTTP 404', 'Busy or starting', 'Too much sent', 'Refused: reload?, retrying in 60 s',
  ],
  'Reconnect off resume wake pause wake resume wake': ['Refused: reload?, retrying…'],
  'Continue polite resume wake wake wake': ['Paused at 45 of 46'],
  'Read again polite restart wake wake wake': ['The end', 'Ended early'],
}, true]);

scene('URLs have the query, no password, and wss: from an https: page', ({ page, reading }) => {
  page.WebSocket = class { constructor(readonly url: URL) {} } as unknown as typeof WebSocket;
  const sockets = [reading.connect(0, undefined), reading.connect(3, 'run 1')] as WebSocket[];
  return sockets.map(({ binaryType, url }) => `${binaryType} ${url}`);
}, [
  'arraybuffer wss://dante.example/a/ws?name=Ann&from=0',
  'arraybuffer wss://dante.example/a/ws?name=Ann&from=3&epoch=run+1',
], 'secure');

scene('the progress bar follows the total that hello names', ({ reading, status, $ }) =>
  [[3, 46], [2, 10], [5, Infinity], [0, 46]].map(([heard, total]) => {
    Object.assign(reading, { heard, total });
    reading.set({ name: 'reading' });
    return [$<HTMLProgressElement>('progress').position, status()];
  }), [[3 / 46, 'Message 3 of 46'], [0.2, 'Message 2 of 10'], [-1, 'Message 5'], [0, 'Connected']]);

scene('plain requests are fresh; a form keeps what is not sent; a bar shows', async (helpers) => {
  const { reading, $, frames } = helpers;
  const ask = () => reading.ask(new AbortController().signal);
  const submit = () => {
    $<HTMLInputElement>('input').value = 'hello';
    $('form').dispatchEvent(new Event('submit', { cancelable: true }));
    return $<HTMLInputElement>('input').value;
  };
  const seen = [await ask(), await ask(), submit()];
  const socket = reading.connect(1, undefined) as WebSocket;
  socket.send = (text) => void seen.push(`Sent: ${text}`);
  await new Promise((resolve) => (socket.onopen = resolve));
  seen.push(submit());
  reading.send('{"used":1,"total":4}');
  await frames();
  const { value, max, title } = $<HTMLMeterElement>('li > meter');
  return [...seen, value, max, title];
}, [302, 426, 'hello', 'Sent: hello', '', 1, 4, '25 %'], 'examples');

scene('a reader at the end of the page follows it at any size', async (helpers) => {
  const { frame, page, reading, root, items, isAtEnd, frames } = helpers;
  for (const [isThere, act] of [
    [isAtEnd, () => (frame.style.height = '900px')],
    [isAtEnd, () => (frame.style.height = '800px')], // Only the window shrinks, no margin.
    [isAtEnd, () => (root.style.fontSize = '200%')],
    [() => page.scrollY === 50, () => page.scrollTo(0, 50)],
    [isAtEnd, () => {
      frame.style.height = '200px';
      reading.send('This is not drawn yet.');
      reading.onClear();
    }],
  ] as const) {
    act();
    await frames(); // The page hears of a scroll with the next one.
    while (!isThere()) await frames();
    reading.send(...Array(22).fill('verse '.repeat(30)));
    await frames();
    if (!isThere()) throw new Error(`It is at ${page.scrollY} px after ${act}.`);
  }
  return items().length;
}, 22);

scene('an endless stream keeps its newest messages, in view', async (helpers) => {
  const { page, reading, root, items, isAtEnd, frames } = helpers;
  const send = async (count: number) => {
    reading.send(...Array(count).fill('verse'));
    await frames();
    return [items().length, items()[0]?.value, isAtEnd(), page.document.getAnimations().length];
  };
  const seen = [await send(900), await send(300)];
  const read = items()[500] as HTMLElement;
  read.scrollIntoView();
  await frames();
  seen.push(await send(9400), [Math.round(read.getBoundingClientRect().y)]);
  page.scrollTo(0, root.scrollHeight);
  await frames();
  return [...seen, await send(2)];
}, [[900, 1, true, 0], [1000, 201, true, 0], [10_000, 601, false, 0], [0], [1000, 9603, true, 0]]);

scene('without JavaScript the page shows a notice and no footer', ({ $, style }) => [
  $('main').innerText.includes('This page needs JavaScript'), style('footer').display,
], [true, 'none'], 'dante', 'sandbox="allow-same-origin"');
