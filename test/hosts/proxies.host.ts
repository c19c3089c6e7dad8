/** `npm run check` passes right hosts, and names the cause of wrong ones. */
import { track } from '../support/bounds.js';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
const PASSES = /^50 readers.* ✔$/;

/** What the check must print last, the configuration, and the path of the page. */
type Row = [last: RegExp, configuration: string, path?: string];
const NGINX: Row[] = [
  [PASSES, at('/', RIGHT.replace('Host', 'X-Forwarded-Host'))],
  [/on both, with the port/, at('/', RIGHT.replace('$http_host', '$host'))],
  [/HTTP\/1\.0.* proxy_http_version 1\.1/, at('/', '')],
  [/drops Upgrade, Connection/, at('/', RIGHT.replace('Connection upgrade', 'Connection close'))],
  [/loses Upgrade/, at('/', RIGHT.replace('Connection upgrade', 'Connection $exact'))],
  [/silent.* proxy_read_timeout/, at('/', `${RIGHT} proxy_read_timeout 3s;`, SLOW)],
  [/lacks its slash/, at('/dante', RIGHT, `${POEM}/`), '/dante'],
  [/remove the folder/, at('/dante/', RIGHT), '/dante/'],
  [/replaces/, `${at('/', `${RIGHT} proxy_intercept_errors on;`)} error_page 404 405 426 /x;`],
  [/drops or changes Origin/, at('/', `${RIGHT} proxy_set_header Origin "";`)],
  [/drops the query/, at('/', `${RIGHT} rewrite (.*) $1? break;`)],
  [/redirects/, 'return 301 https://$host$request_uri;'],
  [/pass this path on as it is/, at('= /', RIGHT)],
  [/Anybody can read/, `${at('/', RIGHT)} location = /package.json { return 200 x; }`],
  [/changes the headers/, at('/', `${RIGHT} expires 1h;`)],
];
const TLS = `map $http_connection $exact { default close; Upgrade upgrade; }
  server { listen 127.0.0.1:8443 ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem;
    ${at('/dante/', RIGHT, `${POEM}/`)} }`;
const HAPROXY: Row[] = [
  [/although messages come/, 'option independent-streams\n timeout tunnel 3s'],
  [/limits a client/, 'maxconn 20'],
];
/** What is left of the server's bytes when a host holds back all messages. */
const holdBack = (bytes: string) =>
  bytes.replace(/(?<= 101 [^]*?\r\n\r\n)[^]*|^[\x81\x82][^]*/, '');
const buffering = createServer((socket) => {
  const back = connect(8881, '127.0.0.1').on('error', () => {}).on('end', () => socket.end());
  socket.on('error', () => {}).on('close', () => back.destroy()).pipe(back);
  back.on('data', (bytes) => socket.write(holdBack(bytes.toString('latin1')), 'latin1'));
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
const place = (rows: Row[], wrap: (text: string) => string) => rows.map(([last, text, path]) => {
  port += 1;
  check(last, `http://127.0.0.1:${port}${path ?? '/'}`);
  return wrap(text);
}).join('\n');

describe('npm run check', { concurrency: 6 }, () => {
  const nginx = place(NGINX, (text) => `server { listen 127.0.0.1:${port}; ${text} }`);
  check(PASSES, 'https://127.0.0.1:8443/dante/', { NODE_EXTRA_CA_CERTS: join(folder, 'cert.pem') });
  check(/NODE_EXTRA_CA_CERTS/, 'https://127.0.0.1:8443/dante/');
  for (const url of ['http://127.0.0.1:8443/', 'https://127.0.0.1:8081/']) check(/try http/, url);
  for (const url of ['http://127.0.0.1:8080/', 'http://127.0.0.1:8081/']) check(PASSES, url);
  check(/holds back/, 'http://127.0.0.1:20000/');
  const listens = place(HAPROXY, (text) =>
    `listen ${port}\n bind 127.0.0.1:${port}\n ${text}\n server one ${POEM}\n`);

  before(async () => {
    const certify = 'req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout key.pem -out cert.pem ' +
      '-addext subjectAltName=IP:127.0.0.1';
    execFileSync('openssl', certify.split(' '), { cwd: folder, stdio: 'ignore' });
    start(process.execPath, ['dist/server.js'], { PORT: '8881' });
    start(process.execPath, ['dist/server.js'], { PORT: '8882', INTERVAL_MS: '60000' });
    buffering.listen(20_000, '127.0.0.1').unref();
    const startProxy = (command: string, option: string, file: string, more: string) => {
      const text = readFileSync(join(ROOT, 'test', file), 'utf8');
      const temp = text.replaceAll('/tmp/dante', join(folder, 'temp'));
      writeFileSync(join(folder, file), temp.replace(/(?<=http \{)|$/, () => more));
      start(command, [option, join(folder, file)]);
    };
    startProxy('nginx', '-c', 'nginx.conf', TLS + nginx);
    startProxy('haproxy', '-f', 'haproxy.cfg', listens);
    for (const host of [POEM, SLOW, '127.0.0.1:8080', '127.0.0.1:8081']) {
      await until(() => fetch(`http://${host}/`).then(({ ok }) => ok, () => false), host);
    }
  });
});
