// @ts-check
/** Which cause a fault has, and which setting of the host that was seen is its remedy. */

/** By what was tried and what came; the first match counts.
 * @type {[pattern: RegExp, cause: string, settings?: Record<string, string>][]} */
const CAUSES = [
  [/^many| 429|^pool 503/, 'The host limits a client: allow more.',
    { nginx: 'limit_conn', Apache: 'MaxRequestWorkers', HAProxy: 'maxconn',
      IIS: 'Windows 10 serves ten at a time' }],
  [/^pool/, 'The host reuses closed connections: keep idle ones for less than 120 s.',
    { IIS: 'src/iisnode.ts' }],
  [/ (ECONNREFUSED|E.*NOTFOUND|EAI_AGAIN)/, 'Nothing answers there: start it, or try another.'],
  [/CERT|ERR_TLS|UNABLE_TO/, 'Node.js trusts no such certificate, or not for this name. Is it ' +
    'yours? Set NODE_EXTRA_CA_CERTS to its file. Else renew it, or send the intermediate ones.'],
  [/^page [A-Z]\S* over/, 'What is behind TLS does not speak HTTP/2: offer http/1.1 (ALPN).',
    { HAProxy: 'alpn http/1.1' }],
  [/^hidden/, 'HTTP/2 has no Upgrade: WebKit rejects this, and may not return after a loss.',
    { nginx: 'proxy_hide_header Upgrade, but not where handshakes pass' }],
  [/ (ERR_SSL|EPROTO)|^page (HPE_|ECONN|400 .*HTTPS)/, 'Not that protocol: try http or https.'],
  [/^\w+ Z_/, 'The body does not fit its Content-Encoding: compress it once, or not at all.'],
  [/^(?!handshake)\w+ (TIMEOUT|ECONN)/, 'It hangs, or hangs up: see its log, try --timeout 60.'],
  [/^page 3/, 'The host redirects: check that address instead. For a login, use --header.'],
  [/ 401/, "The host asks for a login: try http://USER:PASSWORD@HOST/, or --header 'Cookie: …'."],
  [/^password/, 'WebKit sends no password with a WebSocket: use a cookie.'],
  [/^page 404 Not found\. The/, 'Correct the path, or let the host remove the folder from it.'],
  [/ 50\d/, 'The host reaches no server, or limits requests.', { IIS: 'see .github/HOSTING.md' }],
  [/^page/, 'That is not the page: correct the address, or what the host maps to it.'],
  [/^slash/, 'The address lacks its slash: add it, and let the host redirect to it.',
    { Caddy: 'redir /NAME /NAME/' }],
  [/^differ/, 'The servers behind this address differ: deploy the same version to all.'],
  [/^stale/, 'A cache keeps old files: turn it off, or let it ask the server each time.',
    { nginx: 'proxy_cache off', Apache: 'CacheDisable /', Varnish: 'return (pass)' }],
  [/^cache/, 'Browsers load too much, or mix old files with new ones: cache nothing, and pass on ' +
    'Cache-Control, ETag and If-None-Match.', { nginx: 'expires off', Varnish: 'return (pass)' }],
  [/^type/, 'Browsers do not use it so: pass on Content-Type, and type="module" of the page.'],
  [/^file/, 'The host answers here itself: pass this path on as it is.'],
  [/^policy/, 'Pass this header on. If it is your own, let connect-src, script-src and style-src ' +
    "have 'self': else it may stop the page."],
  [/^handshake 403 Pages/, 'The server sees another Host or Origin than the browser sends. Pass ' +
    'on both, with the port, or set ALLOWED_ORIGINS.',
    { nginx: 'proxy_set_header Host $http_host', Apache: 'ProxyPreserveHost On',
      IIS: 'preserveHostHeader="true"' }],
  [/^handshake 426 .*1\.0/, 'A proxy uses HTTP/1.0.', { nginx: 'proxy_http_version 1.1' }],
  [/^accept/, 'The host changes the handshake, or answers it itself: pass its headers on.',
    { nginx: 'no proxy_hide_header Upgrade' }],
  [/^handshake .*over HTTP\/2$/, 'The host refuses WebSockets over HTTP/2: do not offer them.',
    { Apache: 'H2WebSockets off', HAProxy: 'h2-workaround-bogus-websocket-clients' }],
  [/^handshake/, 'The host passes no WebSockets on, or not here: pass on Upgrade, Connection and ' +
    'the Sec-WebSocket headers. In Node.js proxies: ws: true.', {
    nginx: 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade',
    Apache: 'upgrade=websocket', Caddy: 'reverse_proxy for each path', HAProxy: 'mode http',
    lighttpd: 'proxy.header = ("upgrade" => "enable")', IIS: '<webSocket enabled="false" />',
    Varnish: 'return (pipe), and set bereq.http.upgrade in vcl_pipe',
  }],
  [/^firefox/, 'The host loses Upgrade next to keep-alive: set it.',
    { nginx: 'proxy_set_header Connection upgrade', IIS: 'src/iisnode.ts' }],
  [/^origin/, 'The host drops or changes Origin, so any site can open the stream: pass it on.'],
  [/^query/, 'The host drops the query, and pages that return start again: pass it on.'],
  [/^folder/, 'Anybody can read this: pass its path on.', { IIS: 'web.config must be in force' }],
  [/^max/, 'Set max in public/index.html to what the stream has. If it has no end, remove max.'],
  [/^binary/, 'The host makes binary messages of texts: pass on which kind they are.'],
  [/^held/, 'The host holds back what is sent: turn its buffering and compression off.'],
  [/^silence/, 'The host closes a connection that is silent for so long: allow more than 5 s.',
    { nginx: 'proxy_read_timeout 30s', HAProxy: 'timeout tunnel 30s', Apache: 'timeout=30',
      Varnish: 'pipe_timeout 30', lighttpd: 'server.max-read-idle = 86400' }],
  [/^life/, 'The host closes a connection of this age, or one whose client is silent, although ' +
    'messages come: allow more.', { lighttpd: 'server.max-read-idle = 86400',
    HAProxy: 'timeout tunnel 30s, without option independent-streams' }],
  [/^early/, 'The server ended the stream too early: see its log.'],
  [/^/, 'The host replaces responses to errors: pass them on.',
    { nginx: 'proxy_intercept_errors off', Apache: 'ProxyErrorOverride Off',
      IIS: '<httpErrors existingResponse="PassThrough" />' }],
];

/** @type {Set<string>} */
const hosts = new Set();
/** Remembers which host answers. @param {import('node:http').IncomingHttpHeaders} headers */
const noteHost = ({ server = '', via = '' }) => hosts.add(`${server} ${via}`.toLowerCase());

/** What was seen, and the likely cause with its remedy. No control characters get through.
 * @param {string} what @param {string} seen @param {string} [came] */
function explain(what, seen, came = '') {
  const text = `${what} ${came}`;
  const [, cause, settings = {}] = CAUSES.find(([pattern]) => pattern.test(text)) ?? [];
  // HAProxy does not say its name, nor does dante.
  const names = [...hosts].join('').trim() || 'haproxy';
  const remedies = Object.entries(settings).filter(([name]) => names.includes(name.toLowerCase()))
    .map(([name, setting]) => ` In ${name}: ${setting}.`);
  return `${seen.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '·')}\n    ${cause}${remedies.join('')}`;
}

module.exports = { explain, noteHost };
