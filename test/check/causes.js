/** Which cause a fault has, and which setting of the host that was seen is its remedy. */

/** By what was tried and what came; the first match counts.
 * @type {[pattern: RegExp, cause: string, settings?: Record<string, string>][]} */
const CAUSES = [
  [/^many|^\w+ 429|^(pool|file|slash) 503/, 'The host limits a client: allow more.',
    { nginx: 'limit_conn, limit_req', Apache: 'MaxRequestWorkers', HAProxy: 'maxconn' }],
  [/^pool/, 'The host reuses closed connections: keep idle ones for less than 120 s.'],
  [/^\w+ \w*(CERT|UNABLE)/, 'Renew the certificate for this name, or set NODE_EXTRA_CA_CERTS.'],
  [/^error ERR_HTTP2/, 'HTTP/2 has no Upgrade: WebKit rejects this, and may never return.',
    { nginx: 'proxy_hide_header Upgrade, but not where handshakes pass' }],
  [/^page ERR_HTTP2/, 'This is no HTTP/2: offer http/1.1.', { HAProxy: 'alpn http/1.1' }],
  [/^page (ERR_SSL|EPROTO|HPE_|ECONNRESET|400 .*HTTPS)/, 'Not that protocol: try http or https.'],
  [/^(?!handshake)\w+ (E[A-Z]|Error .no )/, 'No answer: start it, see its log, try --timeout 60.'],
  [/^\w+ 50\d/, 'It reaches no server, or limits requests.', { IIS: 'see .github/HOSTING.md' }],
  [/^page 3|^\w+ 401/, 'The host redirects, or wants a login: try that address, or --header.'],
  [/^password/, 'WebKit sends no password with a WebSocket: use a cookie.'],
  [/^\w+ Z_/, 'The body does not fit its Content-Encoding: compress it once, or not at all.'],
  [/^file/, 'The host changes this, or answers itself: pass on path, body and headers.'],
  [/^page/, 'That is not the page: correct the URL, or let the host remove the folder from it.'],
  [/^slash/, 'The address lacks its slash: add it, and let the host redirect to it.'],
  [/^differ/, 'The servers behind this address differ: deploy the same version to all.'],
  [/^cache/, 'Cache nothing, or files get old: pass on Cache-Control, ETag and If-None-Match.',
    { nginx: 'expires off, proxy_cache off', Apache: 'CacheDisable /', Varnish: 'return (pass)' }],
  [/^policy/, "Pass this header on, or let connect-src, script-src and style-src have 'self'."],
  [/^handshake 403 .Pages/, 'Pass on Host and Origin, with the port, or set ALLOWED_ORIGINS.',
    { nginx: 'proxy_set_header Host $http_host', Apache: 'ProxyPreserveHost On',
      IIS: 'preserveHostHeader="true"' }],
  [/^handshake (ERR_HTTP2|.* over HTTP\/2)/, 'The host refuses WebSockets over HTTP/2: offer none.',
    { Apache: 'H2WebSockets off', HAProxy: 'h2-workaround-bogus-websocket-clients' }],
  [/^handshake/, 'The host passes no WebSockets on, or changes them: pass on Upgrade (also next ' +
    'to keep-alive), Connection and Sec-WebSocket-*, both ways. In Node.js proxies: ws: true.', {
    nginx: 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade, Connection upgrade',
    Apache: 'upgrade=websocket', Caddy: 'reverse_proxy for each path', HAProxy: 'mode http',
    lighttpd: 'proxy.header = ("upgrade" => "enable")',
    IIS: '<webSocket enabled="false" />, and src/iisnode.ts',
    Varnish: 'return (pipe), and set bereq.http.upgrade in vcl_pipe' }],
  [/^origin/, 'The host drops or changes Origin, so any site can open the stream: pass it on.'],
  [/^query/, 'The host drops the query, and pages that return start again: pass it on.'],
  [/^folder/, 'Anybody can read this: pass its path on.', { IIS: 'web.config must be in force' }],
  [/^held/, 'The host holds back what is sent: turn its buffering and compression off.'],
  [/^open/, 'The host closes an open stream: allow any age, 6 s of silence, and silent clients.',
    { nginx: 'proxy_read_timeout 30s', Apache: 'timeout=30', Varnish: 'pipe_timeout 30',
      HAProxy: 'timeout tunnel 30s, without option independent-streams',
      lighttpd: 'server.max-read-idle = 86400' }],
  [/^max/, 'Set max in public/index.html to what the stream has. If it has no end, remove max.'],
  [/^early/, 'The server ended the stream too early: see its log.'],
  [/^/, 'The host replaces responses to errors: pass them on.',
    { nginx: 'proxy_intercept_errors off', Apache: 'ProxyErrorOverride Off',
      IIS: '<httpErrors existingResponse="PassThrough" />' }],
];

/** What was seen, and the likely cause with its remedy. No control characters get through.
 * @param {string} what @param {string} seen @param {string} host Its name. */
function explain(what, seen, host) {
  const text = seen.slice(0, 1000).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '·');
  const [, cause, settings = {}] = CAUSES.find(([came]) => came.test(`${what} ${text}`)) ?? [];
  const remedies = Object.entries(settings).map(([name, setting]) =>
    new RegExp(name, 'i').test(host) ? ` In ${name}: ${setting}.` : '');
  return `${text}\n    ${cause}${remedies.join('')}`;
}

module.exports = { explain };
