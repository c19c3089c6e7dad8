import './support/bounds.js';
import { MESSAGES, scene } from './support/browser.js';

scene('below any path it shows the whole stream', async ({ $, status, items, until }) => {
  await until(() => status() === 'The end' && items().length === 46);
  const texts = items().map((item) => item.textContent);
  return [texts, $<HTMLProgressElement>('progress').value, $('#messages').ariaLive];
}, [MESSAGES, 46, 'polite'], 'dante');

scene('each state has its text and label, keeps focus, and fits every size', async (helpers) => {
  const { frame, page, reading, root, $, status, frames } = helpers;
  const action = $('#action');
  const heights: Record<string, number> = {};
  const said: Record<string, string[]> = {}; // By label, aria-live and what a click does.
  reading.total = 46;
  reading.send('x'.repeat(9999), ...Array(44).fill('Midway upon the journey of our life'));
  await frames();
  action.focus();
  const reasons = [undefined, 0, 302, 401, 403, 404, 503, 4008].map((status) => ({ status }));
  for (const { name = 'waiting', ...why } of [
    { name: 'connecting' }, { name: 'reading' }, ...reasons, { seconds: 60, status: 426 },
    { seconds: 0, status: 426 }, { name: 'paused' }, { name: 'ended' },
    { name: 'ended', isEarly: true }, { name: 'reading' },
  ] as { name?: 'waiting' }[]) {
    reading.set({ name, ...why });
    const texts = [action.textContent, $('#status').ariaLive];
    const text = status();
    for (const width of [1280, 768, 480, 360, 320]) for (const size of [100, 200]) {
      frame.style.width = `${width}px`;
      root.style.fontSize = `${size}%`;
      const where = `${width} px, ${size} %`;
      const isCut = [...root.querySelectorAll('*')].some((e) => e.getBoundingClientRect().x < 0);
      const isWide = root.scrollWidth > root.clientWidth;
      const height = $('footer').offsetHeight;
      const limit = size === 100 ? 70 : 568 / 3; // One row; a third of a small phone.
      const isHigh = height > limit || height !== (heights[where] ??= height);
      if (isCut || isWide || isHigh) throw new Error(`${text} does not fit ${where}`);
    }
    for (const detail of [1, 2]) action.dispatchEvent(new MouseEvent('click', { detail }));
    const calls = reading.calls.splice(0).join(); // Two clicks are one.
    (said[[...texts, calls].join(' ')] ??= []).push(text);
  }
  return [said, page.document.activeElement === action];
}, [{
  'Pause polite reconnectNow,pause': ['Connecting…'], // It has just been shown.
  'Pause polite pause': ['Message 45 of 46', 'Connected'], // After "Read again"
  'Reconnect polite resume': [
    'Connection lost', 'Unreachable', 'Login needed?', 'Log in, then reconnect', 'Denied: log in?',
    'HTTP 404', 'Busy or starting', 'Too much sent', 'Refused: reload?, retrying in 60 s',
  ],
  'Reconnect off resume': ['Refused: reload?, retrying…'],
  'Continue polite resume': ['Paused at 45 of 46'],
  'Read again polite ': ['The end', 'Ended early'],
}, true]);

scene('a page that is online, visible or shown again reconnects', ({ page, reading }) => {
  reading.calls.length = 0;
  for (const name of ['reading', 'ended'] as const) {
    reading.set({ name });
    for (const value of [true, false]) {
      Object.defineProperty(page.document, 'hidden', { value, configurable: true });
      page.document.dispatchEvent(new Event('visibilitychange'));
    }
    for (const type of ['online', 'pagehide', 'pageshow']) page.dispatchEvent(new Event(type));
    reading.calls.push(name);
  }
  return reading.calls.join(' ').replaceAll('reconnectNow', 'wake');
}, 'wake wake pause wake resume reading wake wake wake ended');

scene('the stream gets the query of the page, no password, and wss: from an https: page',
  ({ page, reading }) => {
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

scene('the form of the chat sends, and keeps what could not be sent', async ({ reading, $ }) => {
  const submit = () => {
    $<HTMLInputElement>('input').value = 'hello';
    $('form').dispatchEvent(new Event('submit', { cancelable: true }));
    return $<HTMLInputElement>('input').value;
  };
  const before = submit();
  const socket = reading.connect(1, undefined) as WebSocket;
  const sent: unknown[] = [];
  socket.send = (text) => void sent.push(text);
  await new Promise((resolve) => (socket.onopen = resolve));
  return [before, submit(), sent];
}, ['hello', '', ['hello']]);

scene('the live source is drawn as a bar', async ({ reading, $, frames }) => {
  reading.send('{"used":1,"total":4}');
  await frames();
  const { value, max, title } = $<HTMLMeterElement>('li > meter');
  return [value, max, title];
}, [1, 4, '25 %'], 'load');

for (const [path, status] of [['staged', 426], ['moved', 302]] as const) {
  scene(`a plain request to a ${path} page is fresh, and gets ${status}`,
    ({ reading }) => reading.ask(new AbortController().signal), status, path);
}

scene('a reader at the end of the page follows it at any size', async (helpers) => {
  const { frame, page, reading, root, $, items, isAtEnd, frames, until } = helpers;
  const isNearTop = () => page.scrollY === 50;
  const counts: number[] = [];
  for (const [isThere, act] of [
    [isAtEnd, () => (frame.style.height = '900px')],
    [isAtEnd, () => (frame.style.height = '800px')], // Only the window shrinks, no margin.
    [isAtEnd, () => (root.style.fontSize = '200%')],
    [isNearTop, () => page.scrollTo(0, 50)],
    [isAtEnd, () => {
      frame.style.height = '200px';
      reading.send('This is not drawn yet.');
      reading.onClear();
    }],
    [isAtEnd, () => {
      reading.set({ name: 'ended' });
      $('#action').click(); // Read again
    }],
  ] as const) {
    act();
    await frames(); // The page hears of a scroll with the next one.
    await until(isThere);
    reading.send(...Array(22).fill('verse '.repeat(30)));
    await frames();
    if (!isThere()) throw new Error(`It is at ${page.scrollY} px after ${act}.`);
    counts.push(items().length);
  }
  return counts;
}, [22, 44, 66, 88, 22, 22]);

scene('an endless stream keeps its newest messages, fast, in view', async (helpers) => {
  const { page, reading, root, items, isAtEnd, frames, until } = helpers;
  const send = async (count: number) => {
    for (let i = 0; i < count; i += 500) {
      reading.send(...Array(500).fill('verse'));
      await frames();
    }
    const animations = page.document.getAnimations().length;
    return [items().length, items()[0]?.value, isAtEnd(), animations];
  };
  const seen = [await send(3000)];
  const read = items()[500] as HTMLElement;
  read.scrollIntoView();
  await frames();
  const { y } = read.getBoundingClientRect();
  seen.push(await send(9500), [Math.round(read.getBoundingClientRect().y - y)]);
  page.scrollTo(0, root.scrollHeight);
  await frames();
  page.requestAnimationFrame = () => 0; // No frame comes from now on.
  reading.send('verse');
  Object.defineProperty(page.document, 'hidden', { value: true });
  page.document.dispatchEvent(new Event('visibilitychange'));
  reading.send('verse');
  await until(() => items().at(-1)?.value === 12_502);
  return [...seen, items().length];
}, [[1000, 2001, true, 0], [10_000, 2501, false, 0], [0], 1000]);

scene('without JavaScript the page shows a notice and no footer', ({ $, style }) => [
  $('main').innerText.includes('This page needs JavaScript'), style('footer').display,
], [true, 'none'], 'dante', 'sandbox="allow-same-origin"');
