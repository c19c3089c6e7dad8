/** `npm run check` passes right hosts, and names the cause of wrong ones. */
import { track } from '../support/bounds.js';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { createApp } from '../../dist/app.js';
import type { Stream } from '../../dist/reader.js';
import { ROOT, runNode } from '../support/program.js';
import { until } from '../support/until.js';

const URLS = ['http://127.0.0.1:8080/', 'http://127.0.0.1:8081/']; // Of the two proxies.
const [POEM, QUIET] = ['127.0.0.1:8881', '127.0.0.1:20000']; // QUIET sends only signs of life.
const at = (path: string, text: string, to = POEM) =>
  `location ${path} { proxy_pass http://${to}; ${text} }`;
const HOST = 'proxy_set_header Host $http_host;';
const CONNECT = 'proxy_set_header Connection upgrade;';
const RIGHT = `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; ${HOST}${CONNECT}`;
const PASSES = /✔ 50 readers[^\n]*$/;

/** What the check must print last, the configuration, and the path of the page. */
type Row<T = string> = [last: RegExp, configuration: T, path?: string];
const NGINX: Row[] = [
  [PASSES, at('/', RIGHT.replace('Host', 'X-Forwarded-Host'))],
  [/with its port.* ALLOWED_ORIGINS=http:\/\/127/, at('/', RIGHT.replace(HOST, ''))],
  [/with its port/, at('/', RIGHT.replace('$http_host', '$host'))],
  [/HTTP\/1\.0.* proxy_http_version 1\.1/, at('/', '')],
  [/drops Upgrade, Connection/, at('/', RIGHT.replace(CONNECT, ''))],
  [/loses Upgrade/, at('/', RIGHT.replace('Connection upgrade', 'Connection $exact'))],
  [/silent.* proxy_read_timeout/, at('/', `${RIGHT} proxy_read_timeout 1s;`)],
  [/silent.* proxy_read_timeout/, at('/', `${RIGHT} proxy_read_timeout 3s;`, QUIET)],
  [/lacks its slash: check .*\/dante\/,/, at('/dante', RIGHT, `${POEM}/`), '/dante'],
  [/remove the folder/, at('/dante/', RIGHT), '/dante/'],
  [/replaces/, `${at('/', `${RIGHT} proxy_intercept_errors on;`)} error_page 404 405 426 /x;`],
  [/drops or changes Origin/, at('/', `${RIGHT} proxy_set_header Origin "";`)],
  [/drops the query/, at('/', `${RIGHT} rewrite (.*) $1? break;`)],
  [/redirects/, 'return 301 https://$host$request_uri;'],
  [/not pass this path on/, at('= /', RIGHT)],
  [/Anybody can read/, `${at('/', RIGHT)} location = /package.json { return 200 x; }`],
  [/changes this file/, at('/', `${RIGHT} expires 1h;`)],
];
const TLS = `map $http_connection $exact { default close; Upgrade upgrade; }
  server { listen 127.0.0.1:8443 ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem;
    ${at('/dante/', RIGHT, `${POEM}/`)} }`;
const HAPROXY: Row[] = [
  [/changes this file/, 'http-response del-header ETag'],
  [/although messages come/, 'option independent-streams\n timeout tunnel 3s'],
  [/limits a client/, 'maxconn 20'],
];
const OTHER = 'HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nOther';
/** What a small double of IIS makes of the bytes that the server sends. */
const IIS: Row<(bytes: string, path: string) => string>[] = [
  [PASSES, (bytes) => bytes.replace(/(?<= 101 .*)/, '\r\nConnection: Upgrade')], // IIS 10 adds it.
  [/lacks its slash/, (bytes, path) => path.startsWith('/dante') ? bytes : OTHER, '/dante'],
  [/Anybody can/, (bytes, path) => path.endsWith('.config') ? OTHER.replace('404', '200') : bytes],
  [/replaces.* existingResponse/, (bytes) => bytes.startsWith('HTTP/1.1 4') ? OTHER : bytes],
  [/holds back/, (bytes) => bytes.replace(/(?<= 101 [^]*?\r\n\r\n)[^]*|^[\x81\x82\x8a][^]*/, '')],
];
const createIis = (change: typeof IIS[number][1]) => createServer((socket) => {
  const back = connect(8881, '127.0.0.1').on('error', () => {}).on('end', () => socket.end());
  socket.on('error', () => {}).on('close', () => back.destroy()).once('data', (request) => {
    const [, path = ''] = `${request}`.split(' ');
    back.on('data', (bytes) => socket.write(change(bytes.toString('latin1'), path), 'latin1'));
    back.write(`${request}`.replace('/dante ', '/ '));
    socket.pipe(back);
  });
});

let port = 20_000;
const folder = mkdtempSync(join(tmpdir(), 'dante-'));
process.on('exit', () => rmSync(folder, { recursive: true }));

const start = (command: string, args: string[], env = {}) => track(spawn(command, args, {
  cwd: ROOT, stdio: 'ignore', detached: true, env: { ...process.env, ...env },
})).unref();
const check = (last: RegExp, url: string, env = {}) => test(`${url} prints ${last}`, async () => {
  const { output, exited } = runNode(['test/check.js', url, '--timeout', '4'], env);
  assert.deepEqual([await exited, output.stderr], [last === PASSES ? 0 : 1, ''], output.stdout);
  assert.match(output.stdout.trim().split('\n').at(-1) ?? '', last, output.stdout);
});
/** Adds a test of each row. Returns the configuration of all of them. */
const place = <T>(rows: Row<T>[], wrap: (item: T) => string) => rows.map(([last, item, path]) => {
  port += 1;
  check(last, `http://127.0.0.1:${port}${path ?? '/'}`);
  return wrap(item);
}).join('\n');

describe('npm run check', { concurrency: 6 }, () => {
  const nginx = place(NGINX, (text) => `server { listen 127.0.0.1:${port}; ${text} }`);
  check(PASSES, 'https://127.0.0.1:8443/dante/', { NODE_EXTRA_CA_CERTS: join(folder, 'cert.pem') });
  check(/NODE_EXTRA_CA_CERTS/, 'https://127.0.0.1:8443/dante/');
  for (const url of ['http://127.0.0.1:8443/', 'https://127.0.0.1:8081/']) check(/try http/, url);
  for (const url of URLS) check(PASSES, url);
  const listens = place(HAPROXY, (text) =>
    `listen ${port}\n bind 127.0.0.1:${port}\n ${text}\n server one ${POEM}\n`);
  place(IIS, (change) => `${createIis(change).listen(port, '127.0.0.1').unref()}`);

  before(async () => {
    const certify = 'req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout key.pem -out cert.pem ' +
      '-addext subjectAltName=IP:127.0.0.1';
    execFileSync('openssl', certify.split(' '), { cwd: folder, stdio: 'ignore' });
    for (const PORT of ['8881', '8882']) start(process.execPath, ['dist/server.js'], { PORT });
    const page = readFileSync(join(ROOT, 'public', 'index.html'), 'utf8');
    const maxFrom = Number(/ max="(\d+)"/.exec(page)?.[1] ?? Infinity);
    const begin: Stream['begin'] = (reader, from) => void (from === maxFrom && reader.close(1000));
    const { server } = createApp({ maxFrom, begin }, { allowedOrigins: new Set() });
    server.listen(20_000, '127.0.0.1').unref();
    const startProxy = (command: string, option: string, file: string, more: string) => {
      const text = readFileSync(join(ROOT, 'test', file), 'utf8').replace('http {', 'http { MORE');
      const temp = text.replaceAll('/tmp/dante', join(folder, 'temp'));
      writeFileSync(join(folder, file), temp.replace(/MORE|$/, () => more));
      start(command, [option, join(folder, file)]);
    };
    startProxy('nginx', '-c', 'nginx.conf', TLS + nginx);
    startProxy('haproxy', '-f', 'haproxy.cfg', listens);
    for (const url of URLS) await until(() => fetch(url).then(({ ok }) => ok, () => false), url);
  });
});
