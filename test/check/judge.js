// @ts-check
/** How to judge what came, as a browser does. Any text may come: each pattern takes linear time. */
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='; // For the key of ask.js (RFC 6455 section 1.3).
const MAX_FILES = 50; // Of a page, within so many characters.
const MAX_HTML = 2 ** 18;

/** @param {string} tag @param {string} name */
function attribute(tag, name) {
  const pattern = new RegExp(`\\s${name}\\s*=\\s*("[^"]*"|'[^']*'|[^\\s"'>]+)`, 'i');
  return pattern.exec(tag)?.[1]?.replace(/^["']|["']$/g, '') ?? '';
}

/** The page's script and what is next to it, whether it is a module, and how many messages the page
 * expects. @param {string} html @param {URL} page */
function readPage(html, page) {
  const found = html.slice(0, MAX_HTML).matchAll(/<(?:script|link|progress)\b[^<>]*>/gi);
  const tags = Array.from(found, ([tag]) => tag);
  const urls = tags.map((tag) => attribute(tag, 'src') || attribute(tag, 'href'))
    .filter((name) => name && URL.canParse(name, page.href)).map((name) => new URL(name, page));
  const script = urls.find(({ origin, pathname }) =>
    origin === page.origin && pathname.endsWith('/client.js'));
  // Other files are not dante's: a host may add them to the page.
  const own = urls.filter((url) => script && new URL('.', url).href === new URL('.', script).href);
  const isModule = tags.some((tag) =>
    /client\.js/.test(attribute(tag, 'src')) && /^module$/i.test(attribute(tag, 'type')));
  const max = Number(attribute(tags.find((tag) => /^<progress/i.test(tag)) ?? '', 'max'));
  return { script, isModule, files: own.slice(0, MAX_FILES), max };
}

/** Whether Content-Security-Policies surely let the page load its files and open its stream.
 * @param {string} policies with commas between them */
function allows(policies) {
  return policies !== '' && policies.toLowerCase().split(',').every((policy) => {
    const directives = policy.split(';').map((text) => text.trim().split(/\s+/));
    /** @param {string} wanted */
    const find = (wanted) => directives.find(([name]) => name === wanted); // The first one counts.
    const lists = ['connect-src', 'script-src', 'style-src']
      .map((name) => find(name) ?? find('default-src') ?? ['*']);
    return lists.every((sources) => sources.includes("'self'") || sources.includes('*'));
  });
}

/** What a browser refuses in a 101 over HTTP/1.1; '' if nothing.
 * @param {import('node:http').IncomingHttpHeaders} headers */
function refuse({ upgrade = '', connection = '', 'sec-websocket-accept': accept }) {
  const isUpgrade = /^websocket$/i.test(upgrade) && /\bupgrade\b/i.test(connection);
  return isUpgrade && accept === ACCEPT ? '' : JSON.stringify({ upgrade, connection, accept });
}

module.exports = { allows, readPage, refuse };
