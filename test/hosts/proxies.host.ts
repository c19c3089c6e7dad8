/** `npm run check` passes right hosts, and names the cause of wrong ones. */
import { kill, track } from '../support/bounds.js';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createApp } from '../../dist/app.js';
import { ROOT, runNode } from '../support/program.js';
import { until } from '../support/until.js';

const POEM = '127.0.0.1:8881';
const QUIET = '127.0.0.1:20000'; // Sends only signs of life.
const at = (path: string, directives: string, to = POEM) =>
  `location ${path} { proxy_pass http://${to}; ${directives} }`;
const VERSION = 'proxy_http_version 1.1;';
const HOST = 'proxy_set_header Host $http_host;';
const UPGRADE = 'proxy_set_header Upgrade $http_upgrade;';
const CONNECTION = 'proxy_set_header Connection upgrade;';
const RIGHT = VERSION + HOST + UPGRADE + CONNECTION;
const OTHER_HOST = VERSION + UPGRADE + CONNECTION;
const FOLDER = at('/dante/', RIGHT, `${POEM}/`);
const PASSES = /✔ the files[^\n]*$/;

/** What the check must print last, the configuration, and the path of the page. */
type Row = [last: RegExp, configuration: string, path?: string];
const NGINX: Row[] = [
  [PASSES, at('/', `${OTHER_HOST} proxy_set_header X-Forwarded-Host $http_host;`)],
  [/with its port.* ALLOWED_ORIGINS=http:\/\/127/, at('/', OTHER_HOST)],
  [/with its port/, at('/', `${OTHER_HOST} proxy_set_header Host $host;`)],
  [/HTTP\/1\.0.* proxy_http_version 1\.1/, at('/', '')],
  [/HTTP\/1\.0.* proxy_http_version 1\.1/, at('/', HOST + UPGRADE + CONNECTION)],
  [/drops Upgrade, Connection/, at('/', VERSION + HOST + CONNECTION)],
  [/drops Upgrade, Connection/, at('/', VERSION + HOST + UPGRADE)],
  [/loses Upgrade/, at('/', `${VERSION + HOST + UPGRADE} proxy_set_header Connection $exact;`)],
  [/silent.* proxy_read_timeout/, at('/', `${RIGHT} proxy_read_timeout 1s;`)],
  [/silent.* proxy_read_timeout/, at('/', `${RIGHT} proxy_read_timeout 3s;`, QUIET)],
  [/lacks its slash: check .*\/dante\/,/, at('/dante', RIGHT, `${POEM}/`), '/dante'],
  [/remove the folder/, at('/dante/', RIGHT), '/dante/'],
  [/replaces/, `${at('/', `${RIGHT} proxy_intercept_errors on;`)} error_page 404 405 426 /x;`],
  [/drops or changes Origin/, at('/', `${RIGHT} proxy_set_header Origin "";`)],
  [/drops the query/, at('/', `${RIGHT} rewrite (.*) $1? break;`)],
  [/redirects/, 'return 301 https://$host$request_uri;'],
  [/asks for a password/, 'return 401;'],
  [/not the page/, 'return 200 "<title>Sign in</title>";'],
  [/start it/, at('/', RIGHT, '127.0.0.1:1')],
  [/not pass this path on/, at('= /', RIGHT)],
  [/answers handshakes itself/, `${at('/', RIGHT)} location /server-faye.js/ws { return 404; }`],
  [/limits how much/, at('/', `${RIGHT} limit_conn readers 20;`)],
  [/Anybody can read/, `${at('/', RIGHT)} location = /package.json { root ${ROOT}; }`],
  [/changes a header/, at('/', `${RIGHT} expires 1h;`)],
];
const HAPROXY: Row[] = [
  [/with its port/, 'http-request set-header Host back.example'],
  [/silent.* timeout tunnel/, 'timeout tunnel 1s'],
  [/although messages come/, 'option independent-streams\n timeout tunnel 3s'],
  [/limits how much/, 'maxconn 20'],
];
const IIS: Row[] = [
  [PASSES, 'Connection: Upgrade', '/dante/server-faye.js'],
  [/lacks its slash/, 'slash', '/dante'],
  [/Anybody can read/, 'files', '/dante/server-faye.js'],
  [/replaces.* existingResponse/, 'errors', '/dante/server-faye.js'],
  [/holds back/, 'buffer', '/dante/server-faye.js'],
  [/does not reach the server/, 'deaf', '/dante/server-faye.js'],
];

/** A small double of IIS, with one fault; the first adds a header to the 101, as IIS 10 does. */
const createIis = (fault: string) => createServer((socket) => {
  const answer = (status: string) =>
    socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 5\r\nConnection: close\r\n\r\nOther`);
  const back = connect(8881, '127.0.0.1').on('error', () => {});
  socket.on('error', () => {}).once('data', (request) => { // The check resets connections.
    const [, path = ''] = `${request}`.split(' ');
    if (fault === 'files' && path === '/dante/package.json') return answer('200 OK');
    if (fault === 'slash' && !path.startsWith('/dante')) return answer('404 Not Found');
    back.write(`${request}`.replace('/dante ', '/ '));
    return fault !== 'deaf' && socket.pipe(back);
  });
  back.once('data', (bytes) => {
    let text = bytes.toString('latin1');
    if (fault === 'errors' && /^HTTP\/1.1 4/.test(text)) return answer('404 Not Found');
    if (fault === 'Connection: Upgrade') text = text.replace(/(?<= 101 .*)\r\n/, `\r\n${fault}\r\n`);
    if (fault === 'buffer' && / 101 /.test(text)) return socket.write(text.replace(/\r\n\r\n.*/s, '\r\n\r\n'));
    socket.write(text, 'latin1');
    return back.pipe(socket);
  });
});

describe('npm run check', { concurrency: 6 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'dante-'));
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const children = [8881, 8882].map((port) => runNode(['dist/server.js'], { PORT: `${port}` }).child);
  const { server } = createApp({
    maxFrom: 46,
    begin: (reader, from) => void (from === 46 && reader.close(1000)),
  }, { allowedOrigins: new Set() });
  const servers: Server[] = [server.listen(20_000, '127.0.0.1')];
  let port = 20_000;

  /** Adds a test of each row. Returns the configuration of all of them. */
  const place = (rows: Row[], wrap: (port: number, text: string) => string) =>
    rows.map(([last, text, path = '/']) => {
      port += 1;
      check(last, `http://127.0.0.1:${port}${path}`);
      return wrap(port, text);
    }).join('\n');

  const check = (last: RegExp, url: string, env = {}) => test(`${url} prints ${last}`, async () => {
    const { output, exited } = runNode(['test/check.js', url, '--timeout', '4'], env);
    const code = await exited;
    assert.match(output.stdout.trim().split('\n').at(-1) ?? '', last, output.stdout);
    assert.deepEqual([code, output.stderr], [last === PASSES ? 0 : 1, '']);
  });
  const nginx = (ssl = '') => (port: number, text: string) =>
    `server { listen 127.0.0.1:${port} ${ssl}; ${text} }`;
  const maps = 'limit_conn_zone $server_port zone=readers:1m; ' +
    'map $http_connection $exact { default close; Upgrade upgrade; }';
  const tls = nginx(`ssl; ssl_certificate ${cert}; ssl_certificate_key ${key}`);
  const sites = [maps, place(NGINX, nginx()), place([[/try https/, FOLDER, '/dante/']], tls)];
  check(PASSES, `https://127.0.0.1:${port}/dante/`, { NODE_EXTRA_CA_CERTS: cert });
  check(/NODE_EXTRA_CA_CERTS/, `https://127.0.0.1:${port}/dante/`);
  check(/try http\./, 'https://127.0.0.1:8081/');
  for (const url of ['http://127.0.0.1:8080/', 'http://127.0.0.1:8081/']) check(PASSES, url);
  const listens = place(HAPROXY, (port, text) =>
    `listen ${port}\n bind 127.0.0.1:${port}\n ${text}\n server one ${POEM}\n`);
  place(IIS, (port, fault) => `${servers.push(createIis(fault).listen(port, '127.0.0.1'))}`);

  before(async () => {
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=x',
      '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'ignore' });
    const start = (command: string, option: string, text: string) => {
      writeFileSync(join(folder, command), text);
      const args = [option, join(folder, command)];
      children.push(track(spawn(command, args, { stdio: 'ignore', detached: true })));
    };
    const read = (name: string) => readFileSync(join(ROOT, 'test', name), 'utf8')
      .replaceAll('/tmp/dante-', join(folder, 'temp-'));
    start('nginx', '-c', read('nginx.conf').replace('http {', `http { ${sites.join('\n')}`));
    start('haproxy', '-f', `${read('haproxy.cfg')}${listens}`);
    const isUp = (port: number) => fetch(`http://127.0.0.1:${port}/`).then(({ ok }) => ok, () => false);
    for (const port of [8080, 8081]) await until(() => isUp(port), `port ${port}`);
  });
  after(() => {
    children.forEach(kill);
    servers.forEach((server) => server.close());
    rmSync(folder, { recursive: true });
  });
});
