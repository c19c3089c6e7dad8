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

/** The page's script and what is next to it, whether it is a module, how many messages the page
 * expects, and its own policies. @param {string} html @param {URL} page */
function readPage(html, page) {
  const found = html.slice(0, MAX_HTML).matchAll(/<(?:script|link|progress|meta)\b[^<>]*>/gi);
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
  const policies = tags.filter((tag) =>
    /^content-security-policy$/i.test(attribute(tag, 'http-equiv')));
  return { script, isModule, files: own.slice(0, MAX_FILES), max,
    policies: policies.map((tag) => attribute(tag, 'content')) };
}

/** Whether a Content-Security-Policy stops the page: 'yes', 'perhaps', or ''.
 * @param {string} policy @param {boolean} isSecure */
function judgePolicy(policy, isSecure) {
  const directives = policy.toLowerCase().split(';').map((text) => text.trim().split(/\s+/));
  /** @param {string} wanted */
  const find = (wanted) => directives.find(([name]) => name === wanted); // The first one counts.
  if (find('sandbox')?.includes('allow-same-origin') === false) return 'yes';
  // Then a browser asks for https: in place of http:, but not on localhost.
  if (!isSecure && find('upgrade-insecure-requests')) return 'perhaps';
  const verdicts = ['connect-src', 'script-src', 'style-src'].map((name) => {
    const [, ...sources] = find(`${name}-elem`) ?? find(name) ?? find('default-src') ?? ['', '*'];
    const isStrict = sources.includes("'strict-dynamic'"); // Then hosts do not count.
    if (!isStrict && (sources.includes("'self'") || sources.includes('*'))) return '';
    const protocol = name === 'connect-src' ? 'ws' : 'http';
    const fits = [`${protocol}:`, isSecure ? `${protocol}s:` : ''];
    const stops = sources.every((source) => !fits.includes(source) &&
      /^('none'|'unsafe-.*'|[a-z][\w+.-]*:)$/.test(source));
    return stops ? 'yes' : 'perhaps';
  });
  return verdicts.includes('yes') ? 'yes' : verdicts.find(Boolean) ?? '';
}

/** What a browser refuses in a 101 over HTTP/1.1; '' if nothing.
 * @param {import('node:http').IncomingHttpHeaders} headers */
function refuse({ upgrade = '', connection = '', ...headers }) {
  const { 'sec-websocket-accept': accept, 'sec-websocket-protocol': protocol,
    'sec-websocket-extensions': extensions = 'permessage-deflate' } = headers;
  const isUpgrade = /^websocket$/i.test(upgrade) && /\bupgrade\b/i.test(connection);
  const isWanted = protocol === undefined && /^permessage-deflate\b/.test(extensions);
  return isUpgrade && isWanted && accept === ACCEPT ? ''
    : JSON.stringify({ upgrade, connection, accept, protocol, extensions });
}

module.exports = { judgePolicy, readPage, refuse };
