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
  const waits = [undefined, 0, 302, 404, 426].map((status) => ({ seconds: 60, status }));
  for (const { name = 'waiting', ...why } of [
    { name: 'connecting' }, { name: 'reading' }, ...waits, { seconds: 0, status: 426 },
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
  'Redirected (login?), retrying in 60 s Reconnect polite resume true',
  'HTTP 404, retrying in 60 s Reconnect polite resume true',
  'Refused (reload?), retrying in 60 s Reconnect polite resume true',
  'Refused (reload?), retrying… Reconnect off resume true',
  'Sign in, then reconnect Reconnect polite resume true',
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
