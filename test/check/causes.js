// @ts-check
/** Which cause a fault has, and which setting of the host is the remedy. */

/** By Server and Via. HAProxy sends neither, nor does dante. @type {Record<string, RegExp>} */
const HOSTS = {
  nginx: /nginx|openresty/i, Apache: /apache/i, Caddy: /caddy/i, lighttpd: /lighttpd/i,
  Varnish: /varnish/i, IIS: /microsoft/i, HAProxy: /^ $/,
};
const ERRORS = {
  nginx: 'proxy_intercept_errors off', Apache: 'ProxyErrorOverride Off',
  Caddy: 'no handle_response, and handle_errors only for your own pages',
  lighttpd: 'no server.error-intercept', IIS: '<httpErrors existingResponse="PassThrough" />',
};
const PATHS = {
  nginx: 'location /dante/ { proxy_pass http://HOST:PORT/; }',
  Apache: 'ProxyPass /dante/ http://HOST:PORT/ upgrade=websocket',
  Caddy: 'redir /dante /dante/, and handle_path /dante/*',
  lighttpd: 'proxy.header = ("map-urlpath" => ("/dante/" => "/"))',
  Varnish: 'set req.url = regsub(req.url, "^/dante/", "/")',
  HAProxy: 'http-request replace-path /dante/(.*) /\\1',
};

/** By what was tried and what came; the first match counts.
 * @type {[pattern: RegExp, cause: string, settings?: Record<string, string>][]} */
const CAUSES = [
  [/^many| 429|^pool 503/, 'The host limits a client: allow more.', {
    nginx: 'limit_conn and limit_req', Apache: 'MaxRequestWorkers', HAProxy: 'maxconn',
    IIS: 'a client edition of Windows serves ten at a time',
  }],
  [/^pool/, 'The host reuses closed connections: let it keep them for less than 120 s.', {
    IIS: 'keep src/iisnode.ts',
  }],
  [/ (ECONNREFUSED|E.*NOTFOUND|EAI_AGAIN)/, 'Nothing answers there: start it, or try another.'],
  [/CERT|ERR_TLS|UNABLE_TO/, 'Node.js trusts no such certificate, or not for this name. Is it ' +
    'yours? Set NODE_EXTRA_CA_CERTS to its file. Else renew it, or send the intermediate ones.'],
  [/^page .* over HTTP\/2$/, 'TLS offers HTTP/2, but what is behind it does not speak it: offer ' +
    'http/1.1 alone (ALPN).', { HAProxy: 'alpn http/1.1' }],
  [/^hidden/, 'Upgrade is not allowed in HTTP/2, and some clients reject it.', {
    nginx: 'proxy_hide_header Upgrade',
  }],
  [/ (ERR_SSL|EPROTO)|^page (HPE_|ECONN|400 .*HTTPS)/, 'Not that protocol: try http or https.'],
  [/^\w+ Z_/, 'The body does not fit its Content-Encoding: compress it once, or not at all.'],
  [/^(?!handshake)\w+ (TIMEOUT|ECONN)/, 'It hangs, or hangs up: see its log, try --timeout 60.'],
  [/^page 3/, 'The host redirects: check that address instead. For a login, use --header.'],
  [/ 401/, "The host asks for a login: use http://USER:PASSWORD@HOST/, or --header 'Cookie: …'."],
  [/^password/, 'WebKit sends no password with a WebSocket: let a cookie do, or leave ws out.'],
  [/^page 404 Not found\. The/, 'Correct the path, or let the proxy remove the folder.', PATHS],
  [/ 50\d/, 'The host reaches no server, or limits requests.', { IIS: 'see .github/HOSTING.md' }],
  [/^page foreign/, 'Its client.js is on another host: the stream must be next to it.'],
  [/^page/, 'That is not the page: correct the address, or what the host maps to it.'],
  [/^slash/, 'The address lacks its slash: add it, and let the host redirect to it.', PATHS],
  [/^differ/, 'The servers behind this address differ: deploy the same version to all.'],
  [/^stale/, 'A cache keeps old files: let it ask the server again, as Cache-Control says.', {
    nginx: 'proxy_cache off', Varnish: 'return (pass)', Apache: 'CacheDisable /',
  }],
  [/^cache/, 'After a deployment, a browser may mix old files with new ones: pass Cache-Control ' +
    'on, and do not cache.', { nginx: 'no expires', Varnish: 'return (pass)' }],
  [/^tag/, 'The host gives no 304 for an ETag, so each load costs more: pass If-None-Match on.'],
  [/^file type/, 'A browser does not use it with this Content-Type: pass it on.'],
  [/^file module/, 'A script with import is not marked as a module: keep type="module".'],
  [/^file/, 'The host answers here itself: pass this path on as it is.', PATHS],
  [/^policy perhaps/, 'Whether this policy allows the page was not judged: it names no \'self\'.'],
  [/^policy none/, 'The host removes Content-Security-Policy: pass it on.'],
  [/^policy/, "This policy stops the page: let connect-src, script-src and style-src have 'self'."],
  [/^handshake 403 Pages/, 'The server sees another Host or Origin than the browser sends. Pass ' +
    'on both, with the port, or set ALLOWED_ORIGINS.', {
    nginx: 'proxy_set_header Host $http_host', Apache: 'ProxyPreserveHost On',
    Caddy: 'no header_up Host', lighttpd: 'no "https-remap"', IIS: 'preserveHostHeader="true"',
    Varnish: 'no set req.http.host', HAProxy: 'no http-request set-header Host',
  }],
  [/^handshake 426 .*1\.0/, 'A proxy uses HTTP/1.0.', { nginx: 'proxy_http_version 1.1' }],
  [/^accept/, 'The host answers handshakes itself, or from a cache: pass them on.'],
  [/^handshake \w+ .*over HTTP\/2$/, 'The host refuses WebSockets over HTTP/2: let its rules pass ' +
    'CONNECT, or do not offer it.', {
    Apache: 'H2WebSockets off', HAProxy: 'h2-workaround-bogus-websocket-clients',
  }],
  [/^handshake 403/, 'A rule of the host or the application forbids it: see both logs.'],
  [/^handshake/, 'The host passes no WebSockets on, or not at this path. Pass Upgrade, Connection ' +
    'and Sec-WebSocket headers on: in Node.js proxies, ws: true.', {
    nginx: 'proxy_set_header Upgrade $http_upgrade, and proxy_set_header Connection upgrade',
    Apache: 'ProxyPass with upgrade=websocket', Caddy: 'reverse_proxy without a matcher',
    lighttpd: 'proxy.header = ("upgrade" => "enable")', HAProxy: 'mode http',
    Varnish: 'vcl_pipe with set bereq.http.upgrade = req.http.upgrade',
    IIS: '<webSocket enabled="false" />',
  }],
  [/^firefox/, 'The host loses Upgrade next to keep-alive: set it.', {
    nginx: 'proxy_set_header Connection upgrade', IIS: 'keep src/iisnode.ts',
  }],
  [/^origin/, 'The host drops or changes Origin, so any site can open the stream: pass it on.'],
  [/^query/, 'The host drops the query, and pages that return start again: pass it on.'],
  [/^folder/, 'Anybody can read this: pass its path on.', { IIS: 'web.config must be in force' }],
  [/^max/, 'Set max in public/index.html to what the stream has. If it has no end, remove max.'],
  [/^held/, 'The host holds back what is sent: turn its buffering and compression off.'],
  [/^silence/, 'The host closes a connection that is silent for so long: allow more than 5 s.', {
    nginx: 'proxy_read_timeout 30s', HAProxy: 'timeout tunnel 30s', Apache: 'ProxyTimeout 30',
    Varnish: 'pipe_timeout 30s', lighttpd: 'server.max-read-idle',
  }],
  [/^life/, 'The host closes a connection whose client is silent, or that is as old as this: the ' +
    'page sends nothing. Allow more.', {
    lighttpd: 'server.max-read-idle = 86400', HAProxy: 'no option independent-streams',
  }],
  [/^early/, 'The server ended the stream too early: see its log.'],
  [/^retry/, 'After a loss, the page waits for another answer here than this.', ERRORS],
  [/^/, 'The host replaces responses to errors: pass them on.', ERRORS],
];

/** @type {Set<string>} */
const seenHosts = new Set();
/** Remembers which host has answered. @param {import('node:http').IncomingHttpHeaders} headers */
function noteHost({ server = '', via = '' }) {
  for (const [name, pattern] of Object.entries(HOSTS)) {
    if (pattern.test(`${server} ${via}`)) seenHosts.add(name);
  }
}

/** What was seen, and the likely cause with its remedy. No control characters get through.
 * @param {string} what @param {string} seen @param {string} [came] */
function explain(what, seen, came = '') {
  const [, cause = '', settings = {}] =
    CAUSES.find(([pattern]) => pattern.test(`${what} ${came}`)) ?? [];
  const remedies = [...seenHosts].filter((name) => settings[name])
    .map((name) => ` In ${name}: ${settings[name]}.`);
  return `${seen.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '·')}\n    ${cause}${remedies.join('')}`;
}

module.exports = { explain, noteHost };
