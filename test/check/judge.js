/** How to judge a page, as a browser does. Any text may come: each pattern takes linear time. */
const MAX_FILES = 50; // Of a page, within so many characters.
const MAX_HTML = 2 ** 18;
const ATTRIBUTE = /\s([\w-]+)\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+)/g;

/** The page's script and what is next to it, whether it is a module, how many messages the page
 * expects (0 if the stream has no end), and its policies: of the header, and its own.
 * @param {string} html @param {URL} page @param {string} [header] */
function readPage(html, page, header = '') {
  const found = html.slice(0, MAX_HTML).matchAll(/<(?:script|link|progress|meta)\b[^<>]*>/gi);
  const tags = Array.from(found, ([tag]) => Object.fromEntries(
    Array.from(tag.matchAll(ATTRIBUTE), ([, name = '', value = '']) =>
      [name.toLowerCase(), value.replace(/^["']|["']$/g, '')])));
  const urls = tags.flatMap(({ src, href = src }) =>
    href && URL.canParse(href, page.href) ? new URL(href, page) : []);
  const script = urls.find(({ origin, pathname }) =>
    origin === page.origin && pathname.endsWith('/client.js'));
  // Other files are not dante's: a host may add them to the page.
  const own = urls.filter((url) => script && new URL('.', url).href === new URL('.', script).href);
  const isModule = tags.some(({ src = '', type = '' }) =>
    /client\.js/.test(src) && /^module$/i.test(type));
  const max = Number(tags.find(({ max }) => max)?.['max'] ?? 0);
  const ownPolicies = tags.flatMap(({ content = '', 'http-equiv': name = '' }) =>
    /^content-security-policy$/i.test(name) ? content : []);
  const policies = [...header.split(','), ...ownPolicies];
  return { script, isModule, files: own.slice(0, MAX_FILES), max, policies };
}

/** Whether a Content-Security-Policy stops the page: some 'yes', some 'perhaps', or neither.
 * @param {string} policy @param {boolean} isSecure */
function judgePolicy(policy, isSecure) {
  const directives = policy.toLowerCase().split(';').map((text) => text.trim().split(/\s+/));
  /** @param {string} wanted */
  const find = (wanted) => directives.find(([name]) => name === wanted); // The first one counts.
  if (find('sandbox')?.includes('allow-same-origin') === false) return ['yes'];
  // Then a browser asks for https: in place of http:, but not on localhost.
  if (!isSecure && find('upgrade-insecure-requests')) return ['perhaps'];
  return ['connect-src', 'script-src', 'style-src'].map((name) => {
    const [, ...sources] = find(`${name}-elem`) ?? find(name) ?? find('default-src') ?? ['', '*'];
    const isStrict = sources.includes("'strict-dynamic'"); // Then hosts do not count.
    if (!isStrict && (sources.includes("'self'") || sources.includes('*'))) return '';
    const schemes = name === 'connect-src' ? ['ws:', 'wss:'] : ['http:', 'https:'];
    const fits = isSecure ? schemes : schemes.slice(0, 1);
    const stops = sources.every((source) => !fits.includes(source) &&
      /^('none'|'unsafe-.*'|[a-z][\w+.-]*:)$/.test(source));
    return stops ? 'yes' : 'perhaps';
  });
}

module.exports = { judgePolicy, readPage };
