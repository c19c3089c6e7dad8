/** `npm run check` passes right hosts, and names the cause of wrong ones. */
import { track } from '../support/bounds.js';
import assert from 'node:assert/strict';
import { execSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { pipeline } from 'node:stream';
import { before, describe, test } from 'node:test';
import { until } from '../support/client.js';
import { ROOT, SERVER, runNode } from '../support/program.js';

/** How each host starts, which has a file in test/hosts/, and its port there. */
const HOSTS = [
  ['haproxy.cfg', 8080, 'haproxy', '-f'],
  ['nginx.conf', 8081, 'nginx', '-c'],
  ['apache.conf', 8082, 'apache2', '-D', 'FOREGROUND', '-f'],
  ['Caddyfile', 8083, 'caddy', 'run', '--config'],
  ['lighttpd.conf', 8084, 'lighttpd', '-D', '-f'],
  ['varnish.vcl', 8085, 'varnishd', '-F', '-a', '127.0.0.1:8085', '-f'],
] as const;
const PASSES = /\n50 readers.* ✔ \n$/;

type Row = [code: number, output: RegExp, configuration: string, path?: string]; // After a port.
const FIELDS = 'proxy_set_header Host $http_host; proxy_set_header Upgrade $http_upgrade; ' +
  'proxy_set_header Connection upgrade;';
const all = (text: string) => `; location / { proxy_pass http://127.0.0.1:8881; ${text} }`;
const under = (path: string) => `; location ${path} { proxy_pass http://127.0.0.1:8881/; }`;
const change = (name: string, value: string) =>
  all(`proxy_hide_header ${name}; add_header ${name} ${value} always;`);
const NGINX: Row[] = [
  [0, PASSES, `ssl http2; gzip on; gzip_types * ${under('/dante/')}`, '/dante/'],
  [1, /Cache nothing/, `${all('')} if ($request_uri ~ client.js$) { return 200 x; }`],
  [1, /servers.* differ/, '; location / { proxy_pass http://mixed; }'],
  [0, /HTTP\/2 has no Upgrade/, `ssl http2 ${all('add_header Upgrade $retry always;')}`],
  [1, /Host \$http_host/, all(FIELDS.replace('$http_host', '$host'))],
  [1, /no WebSockets.*nginx: .*upgrade/, all(FIELDS.replace('n upgrade', 'n $exact'))],
  [1, /closes an open.*proxy_read_timeout/, all('proxy_read_timeout 1s;')],
  [1, /lacks its slash/, under('/dante'), '/dante'],
  [0, /intercept_errors/, `${all('proxy_intercept_errors on;')} error_page 404 405 426 /x;`],
  [1, /drops or changes Origin/, all(`${FIELDS} proxy_set_header Origin "";`)],
  [1, /drops the query/, all('rewrite (.*) $1? break;')],
  [1, /redirects/, '; return 301 https://$host$request_uri;'],
  [1, /Anybody can read/, `${all('')} location = /package.json { return 200 x; }`],
  [0, /Cache nothing.*expires off/, all('expires 1h;')],
  [1, /Cache nothing/, all('if ($http_if_none_match) { return 304; }')],
  [1, /Content-Type is "text\/plain"/, change('Content-Type', 'text/plain')],
  [1, /without type="module"/, all(`sub_filter 'type="module"' '';`)],
  [1, /connect-src/, change('Content-Security-Policy', '"default-src https:"')],
  [1, /connect-src/, change('Content-Security-Policy', '"default-src *; sandbox"')],
  [0, /! .*a\.example/, change('Content-Security-Policy', '"style-src a.example"')],
  [0, PASSES, `; rewrite ^/x$ /x/ permanent ${under('/x/')}`, '/x'],
  [1, /Content-Encoding/, all('add_header Content-Encoding gzip;')],
  [1, /\[null,"upgrade",.* no WebSockets/s, all('proxy_hide_header Upgrade;')],
  [1, /=","x",.* no WebSockets/s, all('add_header Sec-WebSocket-Protocol x always;')],
  [1, /"upgrade","x",.* no WebSockets/s, change('Sec-WebSocket-Accept', 'x')],
];
const NGINX_HTTP = `${FIELDS} proxy_http_version 1.1; default_type text/javascript;
  ssl_certificate both.pem; ssl_certificate_key both.pem;
  map $http_connection $exact { default close; Upgrade upgrade; }
  map $uri$http_upgrade $retry { default ''; /server-faye.js/ws x; }
  upstream mixed { server 127.0.0.1:8881; server 127.0.0.1:20002; }`;
const ALPN = 'ssl crt both.pem alpn h2,http/1.1\n mode';
const HAPROXY: Row[] = [
  [1, /limits a client.*maxconn/, '\n maxconn 20'],
  [0, PASSES, `${ALPN} http`],
  [1, /offer http\/1\.1.*alpn http\/1\.1/, `${ALPN} tcp`],
  [1, /refuses WebSockets/, `${ALPN} http\n http-request deny if { req.ver 2.0 } { path_end ws }`],
];
/** What becomes of the frames of the server. */
const CHANGES: [output: RegExp, change: (frames: string) => string][] = [
  [/holds back/, (frames) => frames.replace(/^[^]*?(?=\x88|$)/, '')], // All but the close.
  [/ 2 binary messages.* changes them/s, (frames) => frames.replace('\x81', '\x82')],
  [/too early/, () => '\x88\x01x'],
];
const folder = mkdtempSync('/tmp/dante-');
chmodSync(folder, 0o755); // Varnish has a user of its own.
process.on('exit', () => rmSync(folder, { recursive: true }));
process.env['NODE_EXTRA_CA_CERTS'] = `${folder}/both.pem`;

const start = (command: string, args: string[]) =>
  track(spawn(command, args, { cwd: folder, stdio: 'ignore', detached: true })).unref();
const check = (code: number, wanted: RegExp, url: string) =>
  test(`${url} prints ${wanted}`, async () => {
    const { output, exited } = runNode(['test/check.js', url, '--timeout', '4']);
    assert.deepEqual([await exited, output.stderr], [code, ''], output.stdout);
    assert.match(output.stdout, wanted);
  });
/** Adds a test of each row. Returns the configuration of all of them. */
const place = (rows: Row[], first: number, wrap: (text: string, port: number) => string) =>
  rows.map(([code, wanted, text, path = '/'], i) => {
    check(code, wanted, `http${text.startsWith('ssl') ? 's' : ''}://127.0.0.1:${first + i}${path}`);
    return wrap(`127.0.0.1:${first + i} ${text}`, first + i);
  }).join('\n');

describe('npm run check', { concurrency: 6 }, () => {
  for (const [, port] of HOSTS) check(0, PASSES, `http://127.0.0.1:${port}/`);
  const nginx = NGINX_HTTP + place(NGINX, 20_001, (text) => `server { listen ${text} }`);
  const haproxy = place(HAPROXY, 21_001, (text, port) =>
    `listen ${port}\n bind ${text}\n server one 127.0.0.1:8881\n`);
  CHANGES.forEach(([wanted, change], i) => {
    check(1, wanted, `http://127.0.0.1:${22_001 + i}/`);
    createServer((socket) => {
      const back = pipeline(socket, connect(8881, '127.0.0.1'), () => socket.end());
      back.setEncoding('latin1').on('data', (bytes: string) =>
        socket.write(bytes.replace(/(?<=^|\r\n\r\n)[\x81\x82][^]*/, change), 'latin1'));
    }).listen(22_001 + i, '127.0.0.1').unref();
  });
  check(1, /NODE_EXTRA_CA_CERTS/, 'https://localhost:20001/');
  check(1, /try http or https/, 'http://127.0.0.1:20001/');

  before(async () => {
    execSync('openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout both.pem ' +
      '-out both.pem -addext subjectAltName=IP:127.0.0.1', { cwd: folder, stdio: 'ignore' });
    start('env', ['PORT=8881', process.execPath, SERVER]);
    start('env', ['PORT=8882', 'INTERVAL_MS=60000', process.execPath, SERVER]);
    const more: Record<string, string> = { nginx, haproxy };
    for (const [file, port, command, ...options] of HOSTS) {
      const text = readFileSync(`${ROOT}/test/hosts/${file}`, 'utf8').replaceAll('/tmp', folder);
      writeFileSync(`${folder}/${file}`, text.replace(/(?<=http \{)|$/, () => more[command] ?? ''));
      start(command, [...options, `${folder}/${file}`]);
      await until(() => fetch(`http://127.0.0.1:${port}/`).then(({ ok }) => ok, () => false), file);
    }
  });
});
