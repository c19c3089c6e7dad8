import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { before, test } from 'node:test';
import * as wine from './wine.js';

/** The double of appcmd and icacls: node.exe under their names, which runs this first. */
const DOUBLE = String.raw`
const { basename } = require('node:path');
const { argv, cwd, env: { ANSWER, FAIL }, execPath, exit } = process;
if (execPath.startsWith('C:\\old')) exit(216);
// What Windows answers for a drive that subst has made.
if (cwd().startsWith('E:')) require('node:fs').realpathSync.native = () => 'C:\\users\\x';
const name = basename(execPath, '.exe').toLowerCase();
if (name === 'node') return;
// Node.js makes a full path of the first argument, which only icacls is given.
if (name === 'appcmd') argv[1] = basename(argv[1]);
const call = [name, ...argv.slice(1)].join('|');
console.error(call);
if (call.includes('|site')) console.log(ANSWER);
exit(new RegExp(FAIL).test(call) ? 5 : 0);
`;
const SETUP = readFileSync(join(wine.ROOT, 'setup.bat'), 'latin1');
const SYSTEM = 'HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment';
const APP = 'Default Web Site/dante';
const PAGE = 'http://localhost/dante/server-faye.js';
const BOUND = 'SITE "Default Web Site" (id:7,bindings:net.tcp/808:*,https/*:443:';
const CHECK = `cd /d "C:\\users2"\r\n          npm run check -- ${PAGE}`;
const ADD = [
  'appcmd|list|module|/name:iisnode',
  'appcmd|list|site|Default Web Site',
  `appcmd|unlock|config|${APP}|-section:system.webServer/handlers|-commitpath:apphost`,
  `appcmd|unlock|config|${APP}|-section:system.webServer/webSocket|-commitpath:apphost`,
  'icacls|C:\\users2|/grant|*S-1-5-32-568:(OI)(CI)RX|/q',
  'icacls|C:\\users2\\iisnode|/grant|*S-1-5-32-568:(OI)(CI)M|/q',
  `appcmd|list|app|${APP}`,
  'appcmd|add|app|/site.name:Default Web Site|/path:/dante|/physicalPath:C:\\users2' +
    '|/applicationPool:DefaultAppPool',
  'appcmd|list|module|/name:WebSocketModule',
  'appcmd|list|site|Default Web Site',
];
const MOVE = [...ADD];
MOVE[7] = `appcmd|set|vdir|${APP}/|/physicalPath:C:\\users2`;
const REMOVE = [
  `appcmd|list|app|${APP}`,
  `appcmd|delete|app|${APP}`,
  `appcmd|lock|config|${APP}|-section:system.webServer/handlers|-commitpath:apphost`,
  `appcmd|lock|config|${APP}|-section:system.webServer/webSocket|-commitpath:apphost`,
];

/**
 * What setup.bat says on stderr, its calls, or how many, and how it runs: `fail` are the calls that
 * fail, `site` is the answer to `list site`, and `says` is expected on stdout.
 */
const RUNS: [message: string, calls: number | string[], options?: Record<string, string>][] = [
  ['', 10, { folder: "C:\\Program Files (x86)\\oh! it's; a & b ^q dänte—ünï", says: 'W3SVC7"' }],
  ['', 0, { arg: '/?' }],
  ['Unknown argument "/uninstall". Run setup.bat without', 0, { arg: '/uninstall' }],
  ['APP is "/" at the top of setup.bat. It must', 0, { app: '/', arg: '/remove' }],
  ['APP is "dante"', 0, { app: 'dante' }],
  ['Administrator rights are required.', 0, { user: 'other' }],
  ['IIS or its scripting tools are missing: "C:\\no" does not', 0, { appcmd: 'C:\\no' }],
  ['IIS has no module named iisnode. Install iisnode-full-v0.2.26', 1, { fail: 'iisnode' }],
  ['"C:\\new (x)\\dist\\server.js" does not exist. Run npm', 1, { folder: 'C:\\new (x)' }],
  ['IIS has no site "Default', [...ADD.slice(0, 2), 'appcmd|list|site'], { fail: 'site' }],
  ['"C:\\USERS\\a (b)\\c & d" is in a user profile', 2, { folder: 'C:\\USERS\\a (b)\\c & d' }],
  ['"\\\\server\\share\\x" is on', 2, { folder: '\\\\server\\share\\x' }],
  ['"C:\\link" is a link, or on a', 2, { folder: 'C:\\link' }],
  ['"E:\\x" is a link, or on a', 2, { folder: 'E:\\x' }],
  ['"D:\\" is a whole drive', 2, { folder: 'D:\\' }],
  ['appcmd could not unlock', 3, { fail: 'handlers' }],
  ['appcmd could not unlock', 4, { fail: 'webSocket' }],
  ['icacls could not give IIS_IUSRS access to "C:\\users2".', 5, { fail: 'RX' }],
  ['icacls could not give IIS_IUSRS access to "C:\\users2".', 6, { fail: '\\)M' }],
  ['The folder "C:\\blocked\\iisnode" could not be created.', 5, { folder: 'C:\\blocked' }],
  ['appcmd could not register', 8, { fail: '(list|add).app' }],
  ['appcmd could not register', MOVE.slice(0, 8), { fail: 'vdir' }],
  ['', MOVE, { fail: 'none', path: 'C:\\x (y) & z;%NODES%;%SystemRoot%', says: CHECK }],
  ['WARNING: "C:\\users\\a b\\node.exe" is in', 10, { path: '%SystemDrive%\\users\\a b' }],
  ['WARNING: "C:\\old\\node.exe" does not start.', 10, { path: 'C:\\old' }],
  ["WARNING: node.exe is not in the machine's PATH", 10, { path: '%NVM_SYMLINK%;C:\\x (y) & z' }],
  ['WARNING: Windows has a variable PORT', 10, { port: '80' }],
  ['WARNING: The Windows feature', 10, { fail: 'list.app|/name:WebSocketModule' }],
  ['WARNING: The site "Default Web Site" is not started.', 10,
    { site: `${BOUND},http/10.0.0.1:8080:,state:Stopped)`, says: 'http://10.0.0.1:8080/d' }],
  ['', 10, { site: `${BOUND}a.example,state:Started)`, says: 'https://a.example:443/d' }],
  ['WARNING: The site "Default Web Site" has no binding', 10,
    { site: `${BOUND.replace('https', 'ftp')},state:Started)`, says: PAGE }],
  ['', 4, { arg: '/remove', fail: 'none' }],
  ['appcmd could not remove', 2, { arg: '/remove', fail: 'delete' }],
  ['appcmd could not remove', 3, { arg: '/remove', fail: '/handlers' }],
  ['appcmd could not remove', REMOVE.filter((call) => !call.includes('delete')),
    { arg: '/remove', fail: 'list|/webSocket' }],
];

let printed = '';
const reg = (...args: string[]) => wine.run(['reg', ...args, '/f'], wine.ROOT, {});
before(async () => {
  writeFileSync(wine.at('C:\\double.js'), DOUBLE);
  for (const name of ['windows\\system32\\inetsrv\\appcmd', 'windows\\system32\\icacls',
    'nodejs\\node', 'a & (b)\\node', 'users\\a b\\node', 'old\\node']) {
    const double = wine.at(`C:\\${name}.exe`);
    mkdirSync(dirname(double), { recursive: true });
    rmSync(double, { force: true });
    symlinkSync(String(wine.NODE_EXES[0]), double);
  }
  symlinkSync(wine.at('C:\\users\\a b'), wine.at('C:\\link'));
  await reg('add', SYSTEM, '/v', 'NODES', '/d', 'C:\\a & (b)');
  for (const name of ['NODES', 'NVM_SYMLINK']) {
    await reg('add', 'HKCU\\Environment', '/v', name, '/d', 'C:\\users\\a b');
  }
});

for (const [message, calls, options = {}] of RUNS) {
  test(`setup.bat with ${JSON.stringify(options)}: ${message || 'no error'}`, async () => {
    const { app = '/dante', arg = '', fail = 'list.app', folder = 'C:\\users2' } = options;
    const { path = 'C:\\nodejs\\', port, user, says = '' } = options;
    const root = wine.at(folder);
    mkdirSync(join(root, 'dist'), { recursive: true });
    writeFileSync(join(root, 'setup.bat'), SETUP.replace('APP=/dante', `APP=${app}`));
    if (!folder.includes('new')) writeFileSync(join(root, 'dist', 'server.js'), '');
    if (folder.includes('blocked')) symlinkSync('nowhere', join(root, 'iisnode'));
    await reg('add', SYSTEM, '/v', 'Path', '/t', 'REG_EXPAND_SZ', '/d', path);
    await reg(port ? 'add' : 'delete', SYSTEM, '/v', 'PORT');
    // In HKU a key lasts only as long as some program runs.
    const admin = ['reg', user ? 'delete' : 'add', 'HKU\\S-1-5-19', '/f'];
    const command = ['cmd', '/c', ...admin, '&', `${folder}\\setup.bat`, arg];
    const { code, stdout, stderr } = await wine.run(command, wine.ROOT, {
      WINEPATH: 'C:\\windows\\system32', WINEDLLOVERRIDES: 'icacls.exe=n',
      NODE_OPTIONS: '--require=C:/double.js', FAIL: fail, APPCMD: options['appcmd'],
      ANSWER: options['site'] ?? `${BOUND},http/*:80:,state:Started)`,
    });
    printed += `${stdout}\n${stderr}`;
    const isCall = (line: string) => /^(appcmd|icacls)\|/.test(line);
    const lines = stderr.split(/\r?\n/).filter(Boolean);
    const wanted = (arg ? REMOVE : ADD).map((call) => call.replace('C:\\users2', folder));
    assert.deepEqual(lines.filter(isCall),
      typeof calls === 'number' ? wanted.slice(0, calls) : calls);
    const said = lines.filter((line) => !isCall(line)).join('\n');
    assert.ok(message ? said.includes(message) : !said, stderr);
    assert.ok(said.lastIndexOf('WARNING') <= 0, stderr);
    assert.ok(stdout.includes(says), stdout);
    assert.equal(code, /^(WARNING|$)/.test(message) ? 0 : 1);
  });
}

test('the tests above have seen every message of setup.bat', () => {
  const texts = SETUP.match(/(?<=^echo ).+?(?=( 1>&2)?\r$)/gm) ?? [];
  const parts = texts.flatMap((text) => text.split(/%~1|%\w+%/));
  assert.deepEqual(parts.filter((part) => !printed.includes(part)), []);
});

test('setup.bat is ASCII with CRLF', () => {
  assert.match(SETUP, /^([\x20-\x7e]*\r\n)+$/);
});
