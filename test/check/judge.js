// @ts-check
/** How to judge what came, as a browser does. Any text may come: no pattern takes longer than
 * linear time. */
/** @typedef {import('node:http').IncomingHttpHeaders} Headers
 * @typedef {{ url: URL, kind: 'page' | 'script' | 'style' | 'other', isModule: boolean }} File */

const MAX_FILES = 50; // Of a page, within so many characters.
const MAX_HTML = 2 ** 18;

/** @param {string} tag @param {string} name */
function attribute(tag, name) {
  const pattern = new RegExp(`\\s${name}\\s*=\\s*("[^"]*"|'[^']*'|[^\\s"'>]+)`, 'i');
  return pattern.exec(tag)?.[1]?.replace(/^["']|["']$/g, '') ?? '';
}

/** What the page loads from its own host, how many messages it expects, and its own policies.
 * @param {string} html @param {URL} page */
function readPage(html, page) {
  /** @type {File[]} */
  const files = [];
  for (const [tag] of html.slice(0, MAX_HTML).matchAll(/<(?:script|link)\b[^<>]*>/gi)) {
    const name = attribute(tag, 'src') || attribute(tag, 'href');
    if (!name || !URL.canParse(name, page.href)) continue;
    const [rel, type] = [attribute(tag, 'rel'), attribute(tag, 'type')];
    const isPreload = /^modulepreload$/i.test(rel);
    const kind = isPreload || /^<script/i.test(tag) ? 'script'
      : /^stylesheet$/i.test(rel) ? 'style' : 'other';
    files.push({ url: new URL(name, page), kind, isModule: isPreload || /^module$/i.test(type) });
  }
  const own = files.filter(({ url }) => url.origin === page.origin).slice(0, MAX_FILES);
  const policies = [...html.slice(0, MAX_HTML).matchAll(/<meta\b[^<>]*>/gi)]
    .filter(([tag]) => /^content-security-policy$/i.test(attribute(tag, 'http-equiv')))
    .map(([tag]) => attribute(tag, 'content'));
  const max = Number(attribute(/<progress\b[^<>]*>/i.exec(html)?.[0] ?? '', 'max'));
  return { files: own, max, policies };
}

/** Why a browser does not use a file; '' if it does.
 * @param {File} file @param {Headers} headers @param {string} body */
function refuseFile({ kind, isModule }, headers, body) {
  const { 'content-type': type = '', 'x-content-type-options': nosniff } = headers;
  const types = { page: /^text\/html\b/i, style: /^text\/css\b/i, other: /^/,
    script: /^(text|application)\/(x-)?(java|ecma)script\b/i };
  const mayGuess = !type && !nosniff && kind !== 'script';
  if (!types[kind].test(type) && !mayGuess) return `type is "${type}"`;
  const imports = /\bimport\.meta\b|(^|[;}])[ \t]*(import|export)\b[ \t]*[{*'"\w]/m;
  return kind === 'script' && !isModule && imports.test(body) ? 'module is missing' : '';
}

/** Whether a Content-Security-Policy stops the page: 'yes', 'perhaps', or ''.
 * @param {string} policy one of them @param {boolean} isSecure */
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

/** Why a browser refuses a 101; '' if it does not. @param {import('./ask.js').Answer} answer */
function refuseUpgrade({ headers, accept }) {
  if (!accept) return ''; // Over HTTP/2 there is no key.
  const { upgrade = '', connection = '', 'sec-websocket-accept': came } = headers;
  if (!/^websocket$/i.test(upgrade) || !/\bupgrade\b/i.test(connection)) {
    return `Upgrade is "${upgrade}", Connection is "${connection}"`;
  }
  if (came !== accept) return `Sec-WebSocket-Accept is "${came}", not "${accept}"`;
  const extensions = headers['sec-websocket-extensions'] ?? 'permessage-deflate';
  if (!/^permessage-deflate\b/.test(extensions)) return `it adds the extension ${extensions}`;
  const protocol = headers['sec-websocket-protocol'];
  return protocol === undefined ? '' : `Sec-WebSocket-Protocol is "${protocol}", not asked for`;
}

module.exports = { judgePolicy, readPage, refuseFile, refuseUpgrade };
