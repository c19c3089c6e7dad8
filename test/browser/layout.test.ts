import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Browser, browserMissing, type Page } from '../support/browser.js';
import { startServer, type Program } from '../support/program.js';
import { sharedSite } from '../support/site.js';

const WIDTHS = [320, 360, 390, 480, 768, 1280];
const SIZES = [100, 150, 200];

/** In the place of the network and of time, so that every state can be had and stays. */
const STAGE = `
  window.sockets = [];
  window.WebSocket = class { constructor() { sockets.push(this); } close() {} };
  window.probed = 0;
  window.fetch = async () => ({ status: probed });
  Math.random = () => 0.9999;
  let timer, passed = 0;
  const now = performance.now.bind(performance);
  performance.now = () => now() + passed;
  window.setTimeout = (callback) => ((timer = callback), 1);
  window.clearTimeout = () => (timer = undefined);
  window.tell = (count) => { sockets.at(-1).onopen({}); for (let i = 0; i < count; i += 1) sockets.at(-1).onmessage({ data: 'one\\ntwo' }); };
  window.lose = async (count) => { for (let i = 0; i < count; i += 1) {
    if (timer && i) { passed += 20000; timer(); }
    sockets.at(-1).onclose({ code: 1006 });
    await null; await null; await null;
  } };`;

/** How each state is come by, from the one before, and what the page says then. */
const STATES: [words: RegExp, act: string | undefined, press?: string][] = [
  [/^Connecting…$/, undefined],
  [/^Message 45 of 46$/, 'tell(45)'],
  [/^Connection lost, trying again in 15 s$/, 'lose(7)'],
  [/^Paused after message 45 of 46$/, undefined, 'Pause'],
  [/^The server refuses the connection$/, 'probed = 404, lose(3)', 'Continue'],
  [/^The end$/, 'tell(1)', 'Retry'],
];

/** What the page's boxes are, at each width and text size. */
async function measure(page: Page): Promise<Map<string, { foot: number; wide: string[] }>> {
  const measures = new Map<string, { foot: number; wide: string[] }>();
  for (const width of WIDTHS) {
    await page.send('Emulation.setDeviceMetricsOverride', { width, height: 800, deviceScaleFactor: 1, mobile: false });
    for (const size of SIZES) {
      const measured = await page.evaluate<{ foot: number; wide: string[] }>(`(() => {
        document.documentElement.style.fontSize = '${size}%';
        const { clientWidth } = document.documentElement;
        const outside = ({ left, right }) => left < -0.5 || right > clientWidth + 0.5;
        return {
          foot: document.querySelector('footer').getBoundingClientRect().height,
          wide: [...document.querySelectorAll('body *')].filter((element) => outside(element.getBoundingClientRect())).map(({ outerHTML }) => outerHTML),
        };
      })()`);
      measures.set(`${width} px, ${size} %`, measured);
    }
  }
  return measures;
}

/** Fonts of Debian's packages; a machine that has others tries its own alone. */
const FONTS = ['/usr/share/fonts/truetype/dejavu', '/usr/share/fonts/truetype/liberation'];

describe('layout', { timeout: 120_000, skip: browserMissing() }, () => {
  let server: Program & { port: number };
  before(async () => void (server = await startServer({ INTERVAL_MS: '60000' }, { root: sharedSite() })));
  after(() => server?.child.kill('SIGKILL'));

  for (const fonts of ['', ...FONTS]) {
    const missing = fonts !== '' && !existsSync(fonts) && `no ${fonts}: Debian has fonts-dejavu-core and fonts-liberation`;
    if (missing && process.env['CI']) throw new Error(missing);

    test(`with ${fonts || "the machine's own fonts"} the foot has one height in all states, and nothing overflows`, { skip: missing }, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'dante-fonts-'));
      t.after(() => rmSync(folder, { recursive: true, maxRetries: 5 }));
      const config = join(folder, 'fonts.conf');
      writeFileSync(config, `<?xml version="1.0"?><fontconfig><dir>${fonts}</dir><cachedir>${folder}</cachedir></fontconfig>`);
      const browser = await Browser.launch(fonts ? { FONTCONFIG_FILE: config } : {});
      t.after(() => browser.close());
      const page = await browser.open(`http://127.0.0.1:${server.port}/`, { before: STAGE });
      let first: Awaited<ReturnType<typeof measure>> | undefined;
      for (const [words, act, press] of STATES) {
        if (press) await page.press(press);
        if (act) await page.evaluate(act);
        assert.match(await page.evaluate('document.querySelector("#status").textContent'), words);
        const measures = await measure(page);
        first ??= measures;
        for (const [where, { foot, wide }] of measures) {
          // Browsers round: half a pixel is none.
          assert.ok(Math.abs(foot - (first.get(where)?.foot ?? NaN)) < 0.5, `${words} at ${where}: ${foot} px high, before ${first.get(where)?.foot}`);
          assert.deepEqual(wide, [], `${words} at ${where}`);
        }
      }
    });
  }
});
