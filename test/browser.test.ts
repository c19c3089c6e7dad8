import './support/bounds.js';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describePage, MESSAGES } from './support/browser.js';

/** The page of a stream with 46 messages, or as its path says. */
function change(html: string, path: string): string {
  const endless = html.replace(/(<progress[^>]*?) max="\d+"/, '$1');
  if (path.includes('endless')) return endless;
  if (path.includes('incomplete')) return html.replace('id="status"', '');
  if (path.includes('mistaken')) return html.replace(/(<script[^>]*src=")[^"]*/, '$1/test');
  return endless.replace('<progress', '<progress max="46"');
}

describePage('the page in a browser', change, (scene) => {
  test('below any path it shows the whole stream from one origin', scene(async (helpers) => {
    const { page, $, status, items, until } = helpers;
    await until(() => status() === 'The end');
    await until(() => items().length === 46);
    const loaded = page.performance.getEntriesByType('resource');
    const origins = new Set(loaded.map(({ name }) => new URL(name).origin));
    const heard = items().map((item) => item.textContent.trim());
    return [heard, $<HTMLProgressElement>('progress').value, origins.size];
  }, [MESSAGES, 46, 1], 'dante'));

  test('each state has its text, label and focus, and fits every size', scene(async (helpers) => {
    const { frame, page, reading, root, $, status, items, frames } = helpers;
    const unit = `${$('#status').dataset['unit']} `;
    const heights: Record<string, number> = {};
    const said: string[] = [];
    const action = $('#action');
    reading.send('x'.repeat(9999), ...Array(44).fill('Midway upon the journey of our life'));
    await frames();
    action.focus();
    const wait = (status?: number, seconds?: 60 | 0) => ({
      name: 'waiting' as const, status, ...(seconds === undefined ? {} : { seconds }),
    });
    for (const state of [
      { name: 'connecting' }, { name: 'reading' }, wait(undefined, 60), wait(undefined, 0),
      wait(0, 60), wait(302, 60), wait(302, 60), wait(401), wait(404, 60), wait(426, 60),
      wait(503, 0), { name: 'paused' }, { name: 'ended' },
    ] as const) {
      reading.set(state);
      action.dispatchEvent(new MouseEvent('click', { detail: 1 }));
      action.dispatchEvent(new MouseEvent('click', { detail: 2 })); // A double click is one.
      if (page.document.activeElement !== action) throw new Error('The button lost its focus.');
      const what = `${status().replace(unit, '')} [${action.textContent}]`;
      said.push(`${what} ${$('#status').ariaLive} ${reading.calls.splice(0)}`);
      for (const width of [1280, 768, 480, 360, 320]) for (const size of [100, 200]) {
        frame.style.width = `${width}px`;
        root.style.fontSize = `${size}%`;
        const where = `${width} px, ${size} %`;
        const isCut = [...root.querySelectorAll('*')].some((e) => e.getBoundingClientRect().x < 0);
        const isWide = root.scrollWidth > root.clientWidth;
        const height = $('footer').offsetHeight;
        const limit = size === 100 ? 70 : 568 / 3; // One row; a third of a small phone.
        const isHigh = height > limit || height !== (heights[where] ??= height);
        if (isCut || isWide || isHigh) throw new Error(`${what} does not fit ${where}: ${height}`);
      }
    }
    return [said, items().length];
  }, [[
    'Connecting… [Pause] polite restart,reconnectNow,pause', // It has been shown.
    '45 of 46 [Pause] polite pause',
    'Connection lost, retrying in 60 s [Reconnect] polite resume',
    'Connection lost, retrying… [Reconnect] off resume',
    'Server unreachable, retrying in 60 s [Reconnect] polite resume',
    'Redirected (login?), retrying in 60 s [Reconnect] polite resume',
    'Redirected (login?), retrying in 60 s [Reconnect] off resume',
    'HTTP 401, please reload [Reconnect] polite resume',
    'HTTP 404, retrying in 60 s [Reconnect] polite resume',
    'Refused (reload?), retrying in 60 s [Reconnect] polite resume',
    'HTTP 503, retrying… [Reconnect] polite resume',
    'Paused at 45 of 46 [Continue] polite resume',
    'Connecting… [Pause] polite restart',
  ], 0]));

  test('a page that is online, visible or shown again reconnects', scene(({ page, reading }) => {
    const fire = (type: string) =>
      page.document.dispatchEvent(new Event(type, { bubbles: true }));
    const called: string[][] = [reading.calls.splice(0)];
    for (const name of ['reading', 'paused', 'ended'] as const) {
      reading.set({ name });
      for (const hidden of [true, false]) {
        Object.defineProperty(page.document, 'hidden', { value: hidden, configurable: true });
        fire('visibilitychange');
      }
      for (const type of ['online', 'pagehide', 'pageshow', 'pageshow']) fire(type);
      called.push(reading.calls.splice(0));
    }
    return called.map(String);
  }, [
    'restart',
    'reconnectNow,reconnectNow,pause,reconnectNow,resume,reconnectNow',
    'reconnectNow,reconnectNow,reconnectNow,reconnectNow',
    'reconnectNow,reconnectNow,reconnectNow,reconnectNow',
  ]));

  test('a plain request is fresh, and says that a redirect came', scene(async ({ reading }) => {
    const { signal } = new AbortController();
    const ask = async () => reading.ask(signal).catch(({ name }: Error) => name);
    return [await ask(), await reading.ask(AbortSignal.abort()).catch(({ name }: Error) => name)];
  }, [426, 'AbortError']));

  test('a reader at the end of the page follows it at any size', scene(async (helpers) => {
    const { frame, page, reading, root, $, frames, until } = helpers;
    const send = async (count = 5) => {
      reading.send(...Array(count).fill('verse '.repeat(30)));
      await frames();
    };
    const end = () => root.scrollHeight - page.innerHeight - page.scrollY < 2;
    const top = () => page.scrollY === 50;
    for (const [place, act] of [
      [end, () => (frame.style.width = '320px')],
      [end, () => (frame.style.height = '320px')],
      [end, () => (frame.style.height = '1200px')],
      [end, () => (frame.style.height = '900px')], // No margin depends on such a height.
      [end, () => (root.style.fontSize = '200%')],
      [top, async () => (page.scrollTo(0, 50), await frames(), (frame.style.width = '500px'))],
      // So that a message, not what follows, is at the top.
      [end, () => ((root.style.fontSize = '100%'), page.scrollTo(0, root.scrollHeight))],
    ] as const) {
      await act();
      await until(place);
      await send();
      if (!place()) throw new Error(`It is at ${page.scrollY} px after ${act}.`);
    }
    frame.style.height = '200px';
    reading.set({ name: 'ended' });
    $('#action').click(); // Read again
    await send();
    await until(end);
  }));

  test('an endless stream keeps its newest messages, fast, in view', scene(async (helpers) => {
    const { page, reading, root, $, status, items, frames, until } = helpers;
    const shown = () => [items().length, Number(page.getComputedStyle(items()[0] as Element,
      '::before').content.slice(1, -1)), root.scrollHeight - page.innerHeight - page.scrollY < 2];
    const send = async (count: number) => {
      for (let i = 0; i < count; i += 500) {
        reading.send(...Array(500).fill('verse'));
        await frames();
      }
      return shown();
    };
    const seen = [await send(3000)];
    const middle = items()[500] as HTMLElement;
    middle.scrollIntoView();
    await frames();
    const { y } = middle.getBoundingClientRect();
    seen.push(await send(9500));
    if (Math.abs(middle.getBoundingClientRect().y - y) > 2) throw new Error('It moves the reader.');
    page.scrollTo(0, root.scrollHeight);
    await frames();
    Object.defineProperty(page.document, 'hidden', { value: true });
    page.requestAnimationFrame = () => 0;
    reading.send(...Array(500).fill('verse'));
    await until(() => items().length === 1000);
    reading.set({ name: 'paused' });
    return [...seen, shown(), status(), $<HTMLProgressElement>('progress').position];
  }, [[1000, 2001, true], [10_000, 2501, false], [1000, 12_001, true], 'Paused at 13000', -1],
  'staged-endless'));

  test('without JavaScript the page shows a notice and no footer', scene(({ $, style }) => [
    $('main').innerText.trim().startsWith('This page needs JavaScript'), style('footer').display,
  ], [true, 'none'], 'dante', 'sandbox="allow-same-origin"'));

  test('print hides the footer, and forced colors change the bar', scene(({ page, style }) => {
    for (const { media } of page.document.styleSheets[0]?.cssRules as Iterable<CSSMediaRule>) {
      if (media?.mediaText.includes('print')) media.mediaText = 'all';
    }
    const bar = style('progress');
    return [style('footer').display, bar.forcedColorAdjust, bar.getPropertyValue('--rubric')];
  }, ['none', 'none', 'Highlight']));

  for (const [page, error] of [
    ['incomplete', /The page has no #status\. \(http.*client\.js:\d+\)/],
    ['mistaken', /http.*test does not load, or what it imports/],
  ] as const) {
    test(`the tests report the error of a page that is ${page}`, () =>
      assert.rejects(scene(() => {}, undefined, page), error));
  }
});
