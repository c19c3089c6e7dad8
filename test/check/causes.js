// @ts-check
/** Which cause a fault has, and which setting of the host that was seen is its remedy. */

/** By what was tried and what came; the first match counts.
 * @type {[pattern: RegExp, cause: string, settings?: Record<string, string>][]} */
const CAUSES = [
  [/^many|^\w+ 429|^(pool|file|slash) 503/, 'The host limits a client: allow more.',
    { nginx: 'limit_conn, limit_req', Apache: 'MaxRequestWorkers', HAProxy: 'maxconn',
      IIS: 'Windows 10 serves ten at a time' }],
  [/^pool/, 'The host reuses closed connections: keep idle ones for less than 120 s.',
    { IIS: 'src/iisnode.ts' }],
  [/^\w+ \w*(CERT|ERR_TLS|UNABLE_TO)/, 'Node.js trusts no such certificate, or not for this ' +
    'name. Is it yours? Set NODE_EXTRA_CA_CERTS to its file. Else renew it, with its chain.'],
  [/^hidden/, 'HTTP/2 has no Upgrade: WebKit rejects this, and may not return after a loss.',
    { nginx: 'proxy_hide_header Upgrade, but not where handshakes pass' }],
  [/^page ERR_HTTP2/, 'This is no HTTP/2: offer http/1.1 (ALPN).',
    { HAProxy: 'alpn http/1.1' }],
  [/^\w+ (ERR_SSL|EPROTO)|^page (HPE_|ECONNRESET|400 .*HTTPS)/, 'Not that protocol: try http ' +
    'or https.'],
  [/^\w+ Z_/, 'The body does not fit its Content-Encoding: compress it once, or not at all.'],
  [/^\w+ (ECONNREFUSED|E.*NOTFOUND|EAI_AGAIN)/, 'Nothing answers there: start it, or try another.'],
  [/^(?!handshake)\w+ (E[A-Z]|Error: no complete)/, 'It hangs, or hangs up: see its log, or try ' +
    '--timeout 60.'],
  [/^\w+ 50\d/, 'The host reaches no server, or limits requests.',
    { IIS: 'see .github/HOSTING.md' }],
  [/^page 3/, 'The host redirects: check that address instead. For a login, use --header.'],
  [/^\w+ 401/, "The host asks for a login: try http://USER:PASSWORD@HOST/ or --header."],
  [/^password/, 'WebKit sends no password with a WebSocket: use a cookie.'],
  [/^page/, 'That is not the page: correct the URL, or let the host remove the folder from it.'],
  [/^slash/, 'The address lacks its slash: add it, and let the host redirect to it.'],
  [/^differ/, 'The servers behind this address differ: deploy the same version to all.'],
  [/^cache/, 'A cache keeps old files, or browsers load too much: cache nothing, and pass on ' +
    'Cache-Control, ETag and If-None-Match.',
    { nginx: 'expires off, proxy_cache off', Apache: 'CacheDisable /', Varnish: 'return (pass)' }],
  [/^file/, 'The host changes this, or answers here itself: pass on path, body and Content-Type.'],
  [/^policy/, 'Pass this header on. If it is your own, let connect-src, script-src and style-src ' +
    "have 'self': else it may stop the page."],
  [/^handshake 403 .Pages/, 'The server sees another Host or Origin than the browser sends. Pass ' +
    'on both, with the port, or set ALLOWED_ORIGINS.',
    { nginx: 'proxy_set_header Host $http_host', Apache: 'ProxyPreserveHost On',
      IIS: 'preserveHostHeader="true"' }],
  [/^handshake 426 .*HTTP\/1\.0/, 'A proxy uses HTTP/1.0.', { nginx: 'proxy_http_version 1.1' }],
  [/^handshake (ERR_HTTP2|.* over HTTP\/2)/, 'The host refuses WebSockets over HTTP/2: offer none.',
    { Apache: 'H2WebSockets off', HAProxy: 'h2-workaround-bogus-websocket-clients' }],
  [/^handshake/, 'The host passes no WebSockets on, or changes them: pass on Upgrade (also next ' +
    'to keep-alive), Connection and the Sec-WebSocket headers, both ways. In Node.js proxies: ' +
    'ws: true.', {
    nginx: 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade',
    Apache: 'upgrade=websocket', Caddy: 'reverse_proxy for each path', HAProxy: 'mode http',
    lighttpd: 'proxy.header = ("upgrade" => "enable")',
    IIS: '<webSocket enabled="false" />, and src/iisnode.ts',
    Varnish: 'return (pipe), and set bereq.http.upgrade in vcl_pipe',
  }],
  [/^origin/, 'The host drops or changes Origin, so any site can open the stream: pass it on.'],
  [/^query/, 'The host drops the query, and pages that return start again: pass it on.'],
  [/^folder/, 'Anybody can read this: pass its path on.', { IIS: 'web.config must be in force' }],
  [/^max/, 'Set max in public/index.html to what the stream has. If it has no end, remove max.'],
  [/^held/, 'The host holds back what is sent: turn its buffering and compression off.'],
  [/^open/, 'The host closes an open stream: allow any age, more than 5 s of silence, and ' +
    'clients that send nothing.', { nginx: 'proxy_read_timeout 30s', Apache: 'timeout=30',
    HAProxy: 'timeout tunnel 30s, without option independent-streams',
    Varnish: 'pipe_timeout 30', lighttpd: 'server.max-read-idle = 86400' }],
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
 * @param {string} what @param {string} seen */
function explain(what, seen) {
  const text = seen.slice(0, 1000).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '·');
  const [, cause, settings = {}] = CAUSES.find(([came]) => came.test(`${what} ${text}`)) ?? [];
  // HAProxy does not say its name, nor does dante.
  const names = [...hosts].join('').trim() || 'haproxy';
  const remedies = Object.entries(settings).filter(([name]) => names.includes(name.toLowerCase()))
    .map(([name, setting]) => ` In ${name}: ${setting}.`);
  return `${text}\n    ${cause}${remedies.join('')}`;
}

module.exports = { explain, noteHost };
