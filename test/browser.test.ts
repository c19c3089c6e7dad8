import './support/bounds.js';
import { MESSAGES, scene } from './support/browser.js';

scene('below any path it shows the whole stream', async ({ $, status, items, until }) => {
  await until(() => status() === 'The end' && items().length === 46);
  const texts = items().map((item) => item.textContent.trim());
  return [texts, $<HTMLProgressElement>('progress').value];
}, [MESSAGES, 46], 'dante');

scene('each state has its text, label and focus, and fits every size', async (helpers) => {
  const { frame, page, reading, root, $, status, frames } = helpers;
  const action = $('#action');
  const heights: Record<string, number> = {};
  const said: string[] = [];
  reading.send('x'.repeat(9999), ...Array(44).fill('Midway upon the journey of our life'));
  await frames();
  action.focus();
  const statuses = [undefined, 0, 302, 403, 404, 426, 503, 4008];
  const waits = statuses.map((status) => ({ seconds: 60, status }));
  for (const { name = 'waiting', ...why } of [
    { name: 'connecting' }, { name: 'reading' }, ...waits, { seconds: 0, status: 4008 },
    { status: 401 }, { name: 'paused' }, { name: 'ended' }, { name: 'reading' },
  ] as { name?: 'waiting' }[]) {
    reading.set({ name, ...why });
    const label = action.textContent;
    for (const detail of [1, 2]) action.dispatchEvent(new MouseEvent('click', { detail }));
    const news = [label, $('#status').ariaLive, reading.calls.splice(0)]; // Two clicks are one.
    said.push([status(), ...news, page.document.activeElement === action].join(' '));
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
  return said;
}, [
  'Connecting… Pause polite reconnectNow,pause true', // It has just been shown.
  'Message 45 of 46 Pause polite pause true',
  'Connection lost, retrying in 60 s Reconnect polite resume true',
  'Unreachable, retrying in 60 s Reconnect polite resume true',
  'Login needed?, retrying in 60 s Reconnect polite resume true',
  'Denied: log in?, retrying in 60 s Reconnect polite resume true',
  'HTTP 404, retrying in 60 s Reconnect polite resume true',
  'Refused: reload?, retrying in 60 s Reconnect polite resume true',
  'Busy or starting, retrying in 60 s Reconnect polite resume true',
  'Too much sent, retrying in 60 s Reconnect polite resume true',
  'Too much sent, retrying… Reconnect off resume true',
  'Log in, then reconnect Reconnect polite resume true',
  'Paused at 45 of 46 Continue polite resume true',
  'Connecting… Read again polite  true', // After "The end"
  'Connected Pause polite pause true',
]);

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
    const urls = [[0], [3, 'run 1']].map(([from, epoch]) =>
      String((reading.connect(Number(from), epoch as string) as WebSocket).url));
    return [...urls, (reading.connect(0, undefined) as WebSocket).binaryType];
  }, [
    'wss://dante.example/a/ws?name=Ann&from=0',
    'wss://dante.example/a/ws?name=Ann&from=3&epoch=run+1', 'arraybuffer',
  ], 'secure');

scene('the progress bar follows the total that hello names', ({ reading, $ }) => {
  const bar = $<HTMLProgressElement>('progress');
  const seen = [];
  for (const [heard, total] of [[3, 46], [2, 10], [5, Infinity], [0, 46]] as const) {
    Object.assign(reading, { heard, total });
    reading.set({ name: 'reading' });
    seen.push([bar.position, $('#status').textContent]);
  }
  reading.set({ name: 'ended', isEarly: true });
  return [...seen, $('#status').textContent];
}, [
  [3 / 46, 'Message 3 of 46'], [0.2, 'Message 2 of 10'], [-1, 'Message 5'], [0, 'Connected'],
  'Ended early',
]);

scene('another epoch clears the list', async ({ reading, $, items, frames }) => {
  reading.send('one', 'two');
  await frames();
  reading.send('three'); // It is not drawn yet.
  reading.onClear();
  await frames();
  return [items().length, $('#messages').ariaLive];
}, [0, 'polite']);

scene('the form of the chat sends, and keeps what could not be sent', async ({ reading, $ }) => {
  const input = $<HTMLInputElement>('input');
  const submit = () => {
    input.value = 'hello';
    $('form').dispatchEvent(new Event('submit', { cancelable: true }));
    return input.value;
  };
  const before = submit();
  const socket = reading.connect(1, undefined) as WebSocket;
  const sent: unknown[] = [];
  socket.send = (text) => void sent.push(text);
  await new Promise((resolve) => (socket.onopen = resolve));
  return [before, submit(), sent];
}, ['hello', '', ['hello']], 'form');

scene('the live source is drawn as a bar', async ({ reading, items, frames }) => {
  reading.send('{"used":1,"total":4}');
  await frames();
  const meter = items()[0]?.firstElementChild as HTMLMeterElement;
  return [meter.value, meter.max, meter.title];
}, [1, 4, '25 %'], 'load');

for (const [path, status] of [['staged', 426], ['moved', 302]] as const) {
  scene(`a plain request to a ${path} page is fresh, and gets ${status}`,
    ({ reading }) => reading.ask(new AbortController().signal), status, path);
}

scene('a reader at the end of the page follows it at any size', async (helpers) => {
  const { frame, page, reading, root, $, items, frames, until } = helpers;
  const end = () => root.scrollHeight - page.innerHeight - page.scrollY < 2;
  const top = () => page.scrollY === 50;
  for (const [place, act] of [
    [end, () => (frame.style.height = '320px')],
    [end, () => (frame.style.height = '900px')],
    [end, () => (frame.style.height = '800px')], // No margin shrinks: only the window does.
    [end, () => (root.style.fontSize = '200%')],
    [top, async () => (page.scrollTo(0, 50), await frames(), (frame.style.width = '500px'))],
    [end, () => {
      frame.style.height = '200px';
      reading.send('This is not drawn yet.');
      reading.set({ name: 'ended' });
      $('#action').click(); // Read again
    }],
  ] as const) {
    await act();
    await until(place);
    reading.send(...Array(22).fill('verse '.repeat(30)));
    await frames();
    if (!place()) throw new Error(`It is at ${page.scrollY} px after ${act}.`);
  }
  return items().length;
}, 22);

scene('an endless stream keeps its newest messages, fast, in view', async (helpers) => {
  const { page, reading, root, items, frames, until } = helpers;
  const send = async (count: number) => {
    for (let i = 0; i < count; i += 500) {
      reading.send(...Array(500).fill('verse'));
      await frames();
    }
    const isAtEnd = root.scrollHeight - page.innerHeight - page.scrollY < 2;
    const first = items()[0]?.getAttribute('value');
    return [items().length, first, isAtEnd, page.document.getAnimations().length];
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
  await until(() => items().at(-1)?.getAttribute('value') === '12502');
  return [...seen, items().length];
}, [[1000, '2001', true, 0], [10_000, '2501', false, 0], [0], 1000], 'endless');

scene('without JavaScript the page shows a notice and no footer', ({ $, style }) => [
  $('main').innerText.includes('This page needs JavaScript'), style('footer').display,
], [true, 'none'], 'dante', 'sandbox="allow-same-origin"');
