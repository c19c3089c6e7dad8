import '../support/bounds.js';
import { canto1 } from '../../dist/poem/canto1.js';
import { scene } from '../support/browser.js';

scene('a stanza has a numeral and verses; the translator is named at the end',
  async ({ frame, page, reading, root, style, status, items, frames }) => {
    for (const count of [11, 1]) { // Only one that comes alone fades in.
      reading.send(...Array(count).fill('verse 1\nverse 2\nverse 3'));
      await frames();
    }
    const last = items()[11] as Element;
    const seen = [style('.source').visibility, page.document.getAnimations().length, status(),
      last.children.length, page.getComputedStyle(last, '::before').content];
    frame.style.width = '320px';
    root.style.fontSize = '200%';
    const { width, paddingLeft, fontSize } = style('.verse');
    const ems = (parseFloat(width) - parseFloat(paddingLeft)) / parseFloat(fontSize);
    if (!(ems > 6)) throw new Error(`A verse has ${ems} em, too few for words.`);
    reading.set({ name: 'ended' });
    return [...seen, style('.source').visibility];
  }, ['hidden', 1, `Stanza 12 of ${canto1.length}`, 3, '"12"', 'visible'], 'own');
