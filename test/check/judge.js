// @ts-check
/** How to judge what came, as a browser does. Nothing here asks, or backtracks without bounds. */
const MAX_FILES = 50; // Of a page.

/** @typedef {import('./ask.js').Answer['headers']} Headers
 * @typedef {{ url: URL, kind: 'page' | 'script' | 'style' | 'other', isModule: boolean }} File */

/** What the page loads from its own host. @param {string} html @param {URL} page */
function readPage(html, page) {
  /** @type {File[]} */
  const files = [];
  let max = 0;
  for (const [, tag = '', text = ''] of html.matchAll(/<(script|link|progress)\b([^<>]*)>/gi)) {
    const pairs = text.matchAll(/\s(src|href|type|rel|max)\s*=\s*("[^"]*"|'[^']*'|[^\s"']+)/gi);
    const { src, href, type = '', rel = '', max: total = 0 } = Object.fromEntries(
      Array.from(pairs, ([, name = '', value = '']) =>
        [name.toLowerCase(), value.replace(/^["']|["']$/g, '')]));
    if (/progress/i.test(tag)) max = Number(total);
    const name = /script/i.test(tag) ? src : href;
    if (name === undefined || !URL.canParse(name, page)) continue;
    const kind = src || /^modulepreload$/i.test(rel) ? 'script'
      : /stylesheet/i.test(rel) ? 'style' : 'other';
    files.push({ url: new URL(name, page), kind, isModule: !src || /^module$/i.test(type) });
  }
  return { max, files: files.filter(({ url }) => url.origin === page.origin).slice(0, MAX_FILES) };
}

/** The modules that a script imports from its host. @param {string} script @param {URL} url
 * @returns {File[]} */
function readImports(script, url) {
  const names = script.matchAll(/\b(?:from|import)\s*["'](\.{1,2}\/[^"'\n]*)["']/g);
  return Array.from(names, ([, name = '']) =>
    ({ url: new URL(name, url), kind: 'script', isModule: true }));
}

/** Why a browser does not use a file; '' if it does.
 * @param {File} file @param {Headers} headers @param {string} body */
function refuseFile({ kind, isModule }, headers, body) {
  const type = headers['content-type'] ?? '';
  const wanted = { page: /^text\/html\b/i, style: /^text\/css\b/i, other: /^/,
    script: /^(text|application)\/(x-)?(java|ecma)script\b/i }[kind];
  const mayGuess = !type && kind !== 'script' && !headers['x-content-type-options'];
  if (!wanted.test(type) && !mayGuess) return `type ${type || 'none'}`;
  const needsModule = /\bimport\.meta\b|(^|[;}])[ \t]*(import|export)\b[ \t]*[{*'"\w]/m.test(body);
  return kind === 'script' && needsModule && !isModule ? 'module' : '';
}

/** What a Content-Security-Policy does to the page: 'no' is fatal, 'perhaps' depends on hosts.
 * @param {string} policies @param {boolean} isSecure */
function judgePolicies(policies, isSecure) {
  const fetches = isSecure ? /^https?:$/ : /^http:$/;
  const verdicts = policies.toLowerCase().split(',').flatMap((policy) => {
    /** @type {Record<string, string[]>} */
    const directives = {};
    for (const directive of policy.split(';')) {
      const [name = '', ...sources] = directive.trim().split(/\s+/);
      directives[name] ??= sources; // The first one counts.
    }
    const { sandbox, 'default-src': rest } = directives;
    if (sandbox && !sandbox.includes('allow-same-origin')) return 'no';
    return ['connect-src', 'script-src', 'style-src'].map((name) => {
      const sources = directives[`${name}-elem`] ?? directives[name] ?? rest ?? ['*'];
      if (sources.includes("'self'") || sources.includes('*')) return '';
      const fits = name !== 'connect-src' ? fetches : isSecure ? /^wss?:$/ : /^ws:$/;
      const isOut = (/** @type {string} */ source) =>
        /^('none'|'unsafe-.*'|[a-z][\w+.-]*:)$/.test(source) && !fits.test(source);
      return sources.every(isOut) ? 'no' : 'perhaps';
    });
  });
  return verdicts.includes('no') ? 'no' : verdicts.includes('perhaps') ? 'perhaps' : '';
}

/** How long a browser keeps a file, or a cache has kept it; '' if it always asks again.
 * @param {Headers} headers */
function judgeCaching({ 'cache-control': control = '', age }) {
  if (Number(age) > 0) return `Age: ${age}`;
  return /\bno-(cache|store)\b|\bmax-age=0\b/i.test(control) ? '' : `Cache-Control: ${control}`;
}

/** Why a browser refuses a 101; '' if it does not.
 * @param {import('./ask.js').Answer} answer */
function refuseUpgrade({ headers, accept }) {
  if (!accept) return ''; // Over HTTP/2 there is no key.
  const { upgrade, 'sec-websocket-accept': came, 'sec-websocket-protocol': protocol } = headers;
  if (came !== accept) return `Sec-WebSocket-Accept is ${came}, not ${accept}`;
  if (!/^websocket$/i.test(upgrade ?? '')) return `Upgrade is ${upgrade}`;
  return protocol === undefined ? '' : `Sec-WebSocket-Protocol is ${protocol}, but none was asked`;
}

module.exports = {
  MAX_FILES, judgeCaching, judgePolicies, readImports, readPage, refuseFile, refuseUpgrade,
};
