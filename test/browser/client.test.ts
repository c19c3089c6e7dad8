import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Browser, browserMissing, type Page } from '../support/browser.js';
import { startServer, type Program } from '../support/program.js';
import { MESSAGES, sharedSite } from '../support/site.js';

const COUNT = 'document.querySelectorAll("#messages li").length';
const STATUS = 'document.querySelector("#status").textContent';

/** What stands on the page, a string a stanza, a line a verse as it is laid out. */
const told = (page: Page): Promise<string[]> =>
  page.evaluate(`[...document.querySelectorAll('#messages li')].map((item) => item.innerText.trim())`);

/** Colours of each text of the page against what lies behind it, as WCAG 2.2 computes contrast. */
const CONTRASTS = `(() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = channels(colour).slice(0, 3).map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (element) => {
    const colour = getComputedStyle(element).backgroundColor;
    return channels(colour)[3] === 0 ? background(element.parentElement) : colour;
  };
  const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  return [...document.querySelectorAll('h1 span, li .verse, #status, button')].map((element) => ({
    text: element.textContent,
    ratio: ratio(luminance(getComputedStyle(element).color), luminance(background(element))),
  })).concat([...document.querySelectorAll('li')].map((element) => ({
    text: 'numeral',
    ratio: ratio(luminance(getComputedStyle(element, '::before').color), luminance(background(element))),
  })));
})()`;

describe('client', { concurrency: 4, timeout: 120_000, skip: browserMissing() }, () => {
  let browser: Browser;
  let server: Program & { port: number };
  let slow: Program & { port: number };
  /** For what has to happen while the canto is read. */
  let calm: Program & { port: number };
  let url: string;
  let calmUrl: string;
  before(async () => {
    browser = await Browser.launch();
    server = await startServer({ INTERVAL_MS: '25' }, { root: sharedSite() });
    slow = await startServer({ INTERVAL_MS: '60000' }, { root: sharedSite() });
    calm = await startServer({ INTERVAL_MS: '100' }, { root: sharedSite() });
    url = `http://localhost:${server.port}/`;
    calmUrl = `http://localhost:${calm.port}/`;
  });
  after(async () => {
    server?.child.kill('SIGKILL');
    slow?.child.kill('SIGKILL');
    calm?.child.kill('SIGKILL');
    await browser?.close();
  });

  for (const path of ['', 'dante/server-faye.js', 'a/b/server-faye.js?x=1']) {
    test(`at /${path} all 46 stanzas arrive in order, each verse on its line, and the end is told`, async () => {
      const page = await browser.open(url + path);
      await page.wait(`${STATUS} === 'The end'`);
      assert.deepEqual(await told(page), MESSAGES);
      const tops = await page.evaluate<number[]>(
        `[...document.querySelectorAll('.verse')].map((verse) => verse.getBoundingClientRect().top)`,
      );
      assert.equal(tops.length, 3 * 46);
      assert.ok(tops.every((top, i) => i === 0 || top > Number(tops[i - 1])));
      assert.equal(await page.evaluate('document.querySelector("progress").position'), 1);
      assert.deepEqual(page.errors, []);
      await page.close();
    });
  }

  test('the status says which stanza is read, and the first one is there at once', async () => {
    const page = await browser.open(`http://localhost:${slow.port}/`);
    await page.wait(`${STATUS} === 'Message 1 of 46'`);
    assert.deepEqual(await told(page), MESSAGES.slice(0, 1));
    await page.close();
  });

  test('Pause stops the reading, Continue goes on with the very next stanza', async () => {
    const page = await browser.open(calmUrl);
    for (const stanza of [3, 8, 13]) {
      await page.wait(`${COUNT} >= ${stanza}`);
      await page.press('Pause');
      await page.wait(`${STATUS}.startsWith('Paused')`);
      const paused = await told(page);
      assert.equal(await page.evaluate(STATUS), `Paused after message ${paused.length} of 46`);
      await page.evaluate('new Promise((resolve) => setTimeout(resolve, 200))');
      assert.deepEqual(await told(page), paused);
      await page.press('Continue');
    }
    await page.wait(`${STATUS} === 'The end'`);
    assert.deepEqual(await told(page), MESSAGES);
    assert.deepEqual(page.errors, []);
    await page.close();
  });

  test('Read again tells all of it once more', async () => {
    const page = await browser.open(url);
    await page.press('Read again');
    await page.wait(`${COUNT} > 0 && ${COUNT} < 46`);
    await page.wait(`${STATUS} === 'The end'`);
    assert.deepEqual(await told(page), MESSAGES);
    assert.deepEqual(page.errors, []);
    await page.close();
  });

  test('Enter on the button works as a click, the focus stays on it and can be seen', async () => {
    const page = await browser.open(calmUrl);
    const key = { key: 'Enter', code: 'Enter', text: '\r', windowsVirtualKeyCode: 13 };
    await page.send('Input.dispatchKeyEvent', { type: 'keyDown', key: 'Tab', code: 'Tab', windowsVirtualKeyCode: 9 });
    await page.send('Input.dispatchKeyEvent', { type: 'keyDown', ...key });
    await page.send('Input.dispatchKeyEvent', { type: 'keyUp', ...key });
    await page.wait(`${STATUS}.startsWith('Paused')`);
    assert.deepEqual(
      await page.evaluate('[document.activeElement.textContent, getComputedStyle(document.activeElement).outlineStyle]'),
      ['Continue', 'solid'],
    );
    await page.close();
  });

  test('the view follows the newest stanza only while the reader is at the end of the page', async () => {
    const page = await browser.open(calmUrl, { height: 400 });
    const fromEnd = 'document.documentElement.scrollHeight - innerHeight - scrollY';
    await page.wait(`${COUNT} > 5`);
    assert.ok(await page.evaluate<number>(fromEnd) < 10, 'it follows by itself');
    await page.evaluate('scrollTo(0, 50)');
    const count = await page.evaluate<number>(COUNT);
    await page.wait(`${COUNT} > ${count + 3}`);
    assert.equal(await page.evaluate('scrollY'), 50, 'it stays where the reader scrolled to');
    await page.evaluate('scrollTo(0, document.documentElement.scrollHeight)');
    await page.wait(`${STATUS} === 'The end'`);
    assert.ok(await page.evaluate<number>(fromEnd) < 10, 'it follows again from the end');
    await page.close();
  });

  for (const width of [320, 1280]) {
    for (const dark of [false, true]) {
      test(`at ${width} px, ${dark ? 'dark' : 'light'}: nothing overflows sideways, texts have AA contrast`, async () => {
        const page = await browser.open(url, { width, dark });
        await page.wait(`${COUNT} > 10`);
        const wide = `[...document.querySelectorAll('body *')].filter((element) => {
          const { left, right } = element.getBoundingClientRect();
          return left < 0 || right > document.documentElement.clientWidth;
        }).map((element) => element.outerHTML)`;
        assert.deepEqual(await page.evaluate(wide), []);
        assert.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'));
        const contrasts = await page.evaluate<{ text: string; ratio: number }[]>(CONTRASTS);
        assert.ok(contrasts.length > 40);
        for (const { text, ratio } of contrasts) assert.ok(ratio >= 4.5, `${text}: ${ratio}`);
        const paper = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
        assert.equal(Number(/\d+/.exec(paper)?.[0]) < 128, dark);
        await page.close();
      });
    }
  }

  test('while stanzas come, nothing above them moves and the page gets no wider', async () => {
    const before = `addEventListener('DOMContentLoaded', () => {
      window.shifts = 0;
      new PerformanceObserver((list) => list.getEntries().forEach(({ value }) => (window.shifts += value)))
        .observe({ type: 'layout-shift', buffered: true });
    })`;
    const page = await browser.open(url, { before });
    const left = 'document.querySelector("h1").getBoundingClientRect().left';
    const atFirst = await page.evaluate(left);
    await page.wait(`${STATUS} === 'The end'`);
    // Rounding, as some fonts bring it, is no shift: 0.1 is what counts as a good page.
    assert.ok(await page.evaluate<number>('window.shifts') < 0.001);
    assert.equal(await page.evaluate(left), atFirst);
    await page.close();
  });

  test('language, title, heading, live region and labels are what a screen reader needs', async () => {
    const page = await browser.open(url);
    await page.wait(`${COUNT} > 0`);
    const facts = await page.evaluate<Record<string, unknown>>(`({
      lang: document.documentElement.lang !== '',
      title: document.title !== '',
      headings: [...document.querySelectorAll('h1')].filter(({ innerText }) => innerText !== '').length,
      live: document.querySelector('#messages').ariaLive,
      status: document.querySelector('#status').role,
      unlabelled: [...document.querySelectorAll('button, progress, a, img, input')]
        .filter((element) => !(element.textContent.trim() || element.ariaLabel)).length,
      types: [...document.querySelectorAll('button')].map(({ type }) => type),
      viewport: document.querySelector('meta[name=viewport]').content,
      duplicates: [...document.querySelectorAll('[id]')].length - new Set([...document.querySelectorAll('[id]')].map(({ id }) => id)).size,
    })`);
    assert.deepEqual(facts, {
      lang: true,
      title: true,
      headings: 1,
      live: 'polite',
      status: 'status',
      unlabelled: 0,
      types: ['button', 'button'],
      viewport: 'width=device-width, initial-scale=1',
      duplicates: 0,
    });
    await page.close();
  });

  test('new stanzas fade in, but not for who prefers reduced motion', async () => {
    const page = await browser.open(url);
    await page.wait(`${COUNT} > 0`);
    for (const [value, animation] of [['no-preference', 'appear'], ['reduce', 'none']]) {
      await page.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-reduced-motion', value }] });
      assert.equal(await page.evaluate('getComputedStyle(document.querySelector("li")).animationName'), animation);
    }
    await page.close();
  });

  test('nothing is fetched from elsewhere, and inline code does not run', async () => {
    const page = await browser.open(url);
    const origins = await page.evaluate<string[]>(
      `performance.getEntriesByType('resource').map(({ name }) => new URL(name).origin)`,
    );
    assert.ok(origins.length >= 3);
    assert.deepEqual([...new Set(origins)], [url.slice(0, -1)]);
    assert.deepEqual(page.errors, []);
    await page.evaluate(`document.head.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = true' }))`);
    await page.wait('true');
    assert.equal(await page.evaluate('typeof window.ran'), 'undefined');
    assert.match(page.errors.join(), /Content Security Policy/);
    await page.close();
  });

  test('without JavaScript a sentence says what is missing', async () => {
    const page = await browser.open('about:blank');
    await page.send('Emulation.setScriptExecutionDisabled', { value: true });
    await page.navigate(url);
    assert.match(await page.evaluate('document.querySelector("noscript").innerText'), /please allow JavaScript/);
    await page.close();
  });

  test('a page in the back/forward cache holds no connection and goes on where it was', async () => {
    const before = `addEventListener('pageshow', ({ persisted }) => (window.persisted = persisted))`;
    const page = await browser.open(calmUrl, { before });
    await page.wait(`${COUNT} >= 5`);
    await page.navigate(`http://127.0.0.1:${calm.port}/favicon.svg`);
    await page.evaluate('history.back()').catch(() => {}); // The answer may be lost with its page.
    await page.wait(`document.querySelector('#status')`);
    await page.wait(`${STATUS} === 'The end'`);
    assert.equal(await page.evaluate('window.persisted'), true);
    assert.deepEqual(await told(page), MESSAGES);
    await page.close();
  });

  test('a page that was paused when it went into that cache stays paused', async () => {
    const page = await browser.open(calmUrl);
    await page.wait(`${COUNT} >= 3`);
    await page.press('Pause');
    const paused = await page.evaluate(STATUS);
    await page.evaluate(`dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }));
      dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))`);
    await page.evaluate('new Promise((resolve) => setTimeout(resolve, 100))');
    assert.equal(await page.evaluate(STATUS), paused);
    await page.close();
  });
});
