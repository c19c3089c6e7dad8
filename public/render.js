// @ts-check
/**
 * Draws a message of the poem: a stanza, its verses separated by line feeds. Replace it to draw
 * another stream. Keep nothing between calls: the list may be cleared at any time.
 * @param {string} message @returns {Node | string} what becomes the content of the list item
 */
export function render(message) {
  const verses = message.split('\n');
  if (verses.length > 100) return message; // It is no stanza, and would take many elements.
  const stanza = document.createDocumentFragment();
  for (const verse of verses) {
    const line = document.createElement('span');
    line.className = 'verse';
    line.textContent = verse;
    stanza.append(line, '\n');
  }
  return stanza;
}
