/** `npm run check` passes right hosts, and names the cause of wrong ones. */
import { track } from '../support/bounds.js';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { ROOT, runNode } from '../support/program.js';
import { until } from '../support/until.js';

const [POEM, SLOW] = ['127.0.0.1:8881', '127.0.0.1:8882']; // SLOW sends a stanza per minute.
const at = (path: string, text: string, to = POEM) =>
  `location ${path} { proxy_pass http://${to}; ${text} }`;
const RIGHT = 'proxy_http_version 1.1; proxy_set_header Host $http_host; ' +
  'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;';
const SCRIPT = '= /server-faye.js/client.js';
const PASSES = /^50 readers.* ✔$/;

/** The exit code, what the check must print last, the configuration, and the page's path. */
type Row = [code: number, last: RegExp, configuration: string, path?: string];
const NGINX: Row[] = [
  [0, PASSES, at('/', RIGHT.replace('Host', 'X-Forwarded-Host'))],
  [1, /on both, with the port.*Host \$http_host/, at('/', RIGHT.replace('$http_host', '$host'))],
  [1, /HTTP\/1\.0.* proxy_http_version 1\.1/, at('/', '')],
  [1, /no WebSockets.*nginx: .*upgrade/, at('/', RIGHT.replace('n upgrade', 'n close'))],
  [1, /loses Upgrade/, at('/', RIGHT.replace('Connection upgrade', 'Connection $exact'))],
  [1, /silent.* proxy_read_timeout/, at('/', `${RIGHT} proxy_read_timeout 3s;`, SLOW)],
  [1, /lacks its slash/, at('/dante', RIGHT, `${POEM}/`), '/dante'],
  [0, PASSES, at('/dante/', RIGHT, `${POEM}/`), '/dante'], // nginx redirects.
  [1, /remove the folder/, at('/dante/', RIGHT), '/dante/'],
  [0, /intercept_errors/,
    `${at('/', `${RIGHT} proxy_intercept_errors on;`)} error_page 404 405 426 /x;`],
  [1, /drops or changes Origin/, at('/', `${RIGHT} proxy_set_header Origin "";`)],
  [1, /drops the query/, at('/', `${RIGHT} rewrite (.*) $1? break;`)],
  [1, /redirects/, 'return 301 https://$host$request_uri;'],
  [1, /pass this path on as it is/, `${at('/', RIGHT)} location ${SCRIPT} { return 200; }`],
  [1, /Anybody can read/, `${at('/', RIGHT)} location = /package.json { return 200 x; }`],
  [0, /cache nothing.*expires off/, at('/', `${RIGHT} expires 1h;`)],
  [0, PASSES, at('/', `${RIGHT} expires 1h; add_header Cache-Control no-cache;`)],
  [1, /keeps old files/, at('/', `${RIGHT} if ($http_if_none_match) { return 304; }`)],
  [1, /keeps old files/, `${at('/', RIGHT)} location ${SCRIPT} {
    default_type text/javascript; if ($args = "") { return 200 x; } proxy_pass http://${POEM}; }`],
  [1, /nginx: no proxy_hide_header Upgrade/, at('/', `${RIGHT} proxy_hide_header Upgrade;`)],
  [1, /servers.* differ/, at('/', RIGHT, 'mixed')],
];
const TLS = `map $http_connection $exact { default close; Upgrade upgrade; }
  upstream mixed { server ${POEM}; server 127.0.0.1:30000; }
  ssl_certificate cert.pem; ssl_certificate_key key.pem;
  server { listen 127.0.0.1:8443 ssl; ${at('/dante/', RIGHT, `${POEM}/`)} }
  map $http_upgrade $plain { default ''; '' websocket; }
  server { listen 127.0.0.1:8444 ssl http2; ${at('/', RIGHT)} }
  server { listen 127.0.0.1:8445 ssl http2; ${at('/', RIGHT)}
    ${at('= /server-faye.js/ws', `${RIGHT} add_header Upgrade $plain always;`)} }`;
const ALPN = 'ssl crt both.pem alpn h2,http/1.1\n mode';
const HAPROXY: Row[] = [
  [1, /although messages come/, '\n option independent-streams\n timeout tunnel 3s'],
  [1, /limits a client.*maxconn/, '\n maxconn 20'],
];
const HAPROXY_TLS: Row[] = [
  [0, PASSES, `${ALPN} http`],
  [1, /does not speak HTTP\/2.*alpn http\/1\.1/, `${ALPN} tcp`],
  [1, /refuses WebSockets over HTTP\/2/,
    `${ALPN} http\n http-request deny if { req.ver 2.0 } { hdr(upgrade) -m found }`],
];
/** What becomes of the server's bytes. */
const CHANGES: [last: RegExp, change: (bytes: string) => string][] = [
  [/servers.* differ/, (bytes) => bytes.replace('// @ts-check', '// @ts-other')],
  [/holds back/, // All but the close.
    (bytes) => bytes.replace(/(?:(?<= 101 [^]*?\r\n\r\n)|^[\x81\x82])[^]*?(?=\x88|$)/, '')],
  [/changes the handshake/, (bytes) => bytes.replace(/(?<=-Accept: ).*/, 'x')],
  [/binary messages of texts/, (bytes) => bytes.replace(/^\x81|(?<=\r\n\r\n)\x81/, '\x82')],
  [/changes the handshake/,
    (bytes) => bytes.replace(/(?<= 101 .*\r\n)/, 'Sec-WebSocket-Protocol: x\r\n')],
  [/too early/, (bytes) => bytes.replace(/(?<= 101 [^]*?\r\n\r\n)[^]*|^\x81[^]*/, '\x88\x01x')],
  [/Content-Type/, (bytes) => bytes.replace('text/javascript', 'text/plain')],
  [/type="module"/, (bytes) => bytes.replace('type="module"', '             ')],
  [/connect-src/, (bytes) => bytes.replace("default-src 'self'", 'default-src https:')],
  [/connect-src/, (bytes) => bytes.replace(/<title>.*<\/title>/,
    (title) => '<meta http-equiv=content-security-policy content=sandbox>'.padEnd(title.length))],
  [/changes the handshake/,
    (bytes) => bytes.replace(/(?<= 101 .*\r\n)/, 'Sec-WebSocket-Extensions: x\r\n')],
  [/Content-Encoding/, (bytes) => bytes.replace('ETag', 'Content-Encoding: gzip\r\nETag')],
];
let port = 20_000;
const folder = mkdtempSync(join(tmpdir(), 'dante-'));
chmodSync(folder, 0o755); // Varnish has a user of its own.
process.on('exit', () => rmSync(folder, { recursive: true }));

const start = (command: string, args: string[], env = {}) => track(spawn(command, args, {
  cwd: folder, stdio: 'ignore', detached: true, env: { ...process.env, ...env },
})).unref();
const trust = { NODE_EXTRA_CA_CERTS: join(folder, 'cert.pem') };
const check = (code: number, last: RegExp, url: string, env = {}) =>
  test(`${url} prints ${last}`, async () => {
    const { output, exited } = runNode(['test/check.js', url, '--timeout', '4'], env);
    assert.deepEqual([await exited, output.stderr], [code, ''], output.stdout);
    assert.match(output.stdout.trim().split('\n').at(-1) ?? '', last, output.stdout);
  });
/** Adds a test of each row. Returns the configuration of all of them. */
const place = (rows: Row[], wrap: (text: string) => string, protocol = 'http') =>
  rows.map(([code, last, text, path = '/']) => {
    port += 1;
    check(code, last, `${protocol}://127.0.0.1:${port}${path}`, trust);
    return wrap(text);
  }).join('\n');
/** How each host starts, which has a file in test/hosts/, and its port there. */
const HOSTS = [
  ['haproxy.cfg', 8080, 'haproxy', '-f'],
  ['nginx.conf', 8081, 'nginx', '-c'],
  ['apache.conf', 8082, 'apache2', '-D', 'FOREGROUND', '-f'],
  ['Caddyfile', 8083, 'caddy', 'run', '--config'],
  ['lighttpd.conf', 8084, 'lighttpd', '-D', '-f'],
  ['varnish.vcl', 8085, 'varnishd', '-F', '-a', '127.0.0.1:8085', '-n', join(folder, 'v'), '-f'],
] as const;

describe('npm run check', { concurrency: 6 }, () => {
  for (const [, port] of HOSTS) check(0, PASSES, `http://127.0.0.1:${port}/`);
  const nginx = place(NGINX, (text) => `server { listen 127.0.0.1:${port}; ${text} }`);
  const listen = (text: string) =>
    `listen ${port}\n bind 127.0.0.1:${port} ${text}\n server one ${POEM}\n`;
  const haproxy = place(HAPROXY, listen) + place(HAPROXY_TLS, listen, 'https');
  check(0, PASSES, 'https://127.0.0.1:8443/dante/', trust);
  check(0, PASSES, 'https://127.0.0.1:8444/', trust);
  check(0, /proxy_hide_header Upgrade/, 'https://127.0.0.1:8445/', trust);
  check(1, /NODE_EXTRA_CA_CERTS/, 'https://127.0.0.1:8443/dante/');
  for (const url of ['http://127.0.0.1:8443/', 'https://127.0.0.1:8081/']) {
    check(1, /try http/, url);
  }
  // The first one is half of `mixed`.
  CHANGES.forEach(([last], i) => i > 0 && check(1, last, `http://127.0.0.1:${30_000 + i}/`));

  before(async () => {
    const certify = 'req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout key.pem -out cert.pem ' +
      '-addext subjectAltName=IP:127.0.0.1';
    execFileSync('openssl', certify.split(' '), { cwd: folder, stdio: 'ignore' });
    const read = (name: string) => readFileSync(join(folder, name), 'utf8');
    writeFileSync(join(folder, 'both.pem'), read('cert.pem') + read('key.pem'));
    start(process.execPath, [join(ROOT, 'dist/server.js')], { PORT: '8881' });
    start(process.execPath, [join(ROOT, 'dist/server.js')], { PORT: '8882', INTERVAL_MS: '60000' });
    for (const [i, [, change]] of CHANGES.entries()) {
      createServer((socket) => {
        const back = connect(8881, '127.0.0.1').on('error', () => {}).on('end', () => socket.end());
        socket.on('error', () => {}).on('close', () => back.destroy()).pipe(back);
        back.on('data', (bytes) => socket.write(change(bytes.toString('latin1')), 'latin1'));
      }).listen(30_000 + i, '127.0.0.1').unref();
    }
    const more: Record<string, string> = { nginx: TLS + nginx, haproxy };
    for (const [file, port, command, ...options] of HOSTS) {
      const text = readFileSync(join(ROOT, 'test', 'hosts', file), 'utf8')
        .replaceAll('/tmp/dante', join(folder, 'temp'));
      writeFileSync(join(folder, file), text.replace(/(?<=http \{)|$/, () => more[command] ?? ''));
      start(command, [...options, join(folder, file)]);
      await until(() => fetch(`http://127.0.0.1:${port}/`).then(({ ok }) => ok, () => false), file);
    }
  });
});
