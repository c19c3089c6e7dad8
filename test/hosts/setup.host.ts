import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { before, test } from 'node:test';
import * as wine from './wine.js';

/** The double of appcmd and icacls: node.exe under their names, which runs this first. */
const DOUBLE = String.raw`
const fs = require('node:fs');
const { basename } = require('node:path');
const { argv, cwd, env: { ANSWER, FAIL }, execPath, exit } = process;
const name = basename(execPath, '.exe').toLowerCase();
if (execPath.startsWith('C:\\old')) exit(216);
// What Windows answers for a drive that subst has made.
if (cwd().startsWith('E:')) fs.realpathSync.native = () => 'C:\\users\\x';
if (name === 'node') return;
// Node.js makes a full path of the first argument, which only icacls is given.
if (name === 'appcmd') argv[1] = basename(argv[1]);
const call = [name, ...argv.slice(1)];
fs.appendFileSync('C:/log', JSON.stringify(call) + '\n');
if (call.includes('site')) console.log(ANSWER);
exit(new RegExp(FAIL).test(call.join(' ')) ? 5 : 0);
`;
const SETUP = readFileSync(join(wine.ROOT, 'setup.bat'));
const SYSTEM = 'HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment';
const USER = 'HKCU\\Environment';
const APP = 'Default Web Site/dante';
const LIST = ['appcmd', 'list', 'app', APP];
const ADD = ['add', 'app', '/site.name:Default Web Site', '/path:/dante'];
const config = (verb: string) => ['handlers', 'webSocket'].map((name) =>
  ['appcmd', verb, 'config', APP, `-section:system.webServer/${name}`, '-commitpath:apphost']);
const SITE = ['appcmd', 'list', 'site', 'Default Web Site'];
const BOUND = 'SITE "Default Web Site" (id:7,bindings:net.tcp/808:*,https/*:443:';
const PAGE = 'http://localhost/dante/server-faye.js';
const CHECK = `cd /d "C:\\users2"\r\n          npm run check -- ${PAGE}`;
/** What setup.bat calls in a folder: it adds the application, or moves it there. */
const calls = (folder: string, register = ADD): string[][] => [
  ['appcmd', 'list', 'module', '/name:iisnode'],
  SITE,
  ...config('unlock'),
  ['icacls', folder, '/grant', '*S-1-5-32-568:(OI)(CI)RX', '/q'],
  ['icacls', `${folder}\\iisnode`, '/grant', '*S-1-5-32-568:(OI)(CI)M', '/q'],
  LIST,
  ['appcmd', ...register, `/physicalPath:${folder}`,
    ...(register === ADD ? ['/applicationPool:DefaultAppPool'] : [])],
  ['appcmd', 'list', 'module', '/name:WebSocketModule'],
  SITE,
];
const MOVED = calls('C:\\users2', ['set', 'vdir', `${APP}/`]);
const DELETE = ['appcmd', 'delete', 'app', APP];
const LOCKED = config('lock');

/** `fail`: calls that fail, by default `list app`; `site`: the answer to `list site`. */
type Options = {
  [key in 'app' | 'arg' | 'fail' | 'path' | 'port' | 'user' | 'appcmd' | 'site' | 'says']?: string
};
/** The folder, how setup.bat runs there, what it says on stderr, and its calls, or how many. */
const RUNS: [folder: string, options: Options, messages: string[], made: number | string[][]][] = [
  ["Program Files (x86)\\oh! it's; a & b ^q dänte—ünï", { says: `Done. Page: ${PAGE}` }, [], 10],
  ['x', { arg: '/?' }, [], 0],
  ['x', { arg: '/uninstall' }, ['Unknown argument "/uninstall". Run setup.bat without'], 0],
  ['x', { app: '/', arg: '/remove' }, ['APP is "/" at the top of setup.bat. It must'], 0],
  ['x', { app: 'dante' }, ['APP is "dante"'], 0],
  ['x', { app: '/dante/' }, ['APP is "/dante/"'], 0],
  ['x', { appcmd: 'C:\\no' }, ['IIS or its scripting tools are missing: "C:\\no" does not'], 0],
  ['x', { fail: 'iisnode' }, ['IIS has no module named iisnode. Install iisnode-full-v0.2.26'], 1],
  ['new (x)', {}, ['"C:\\new (x)\\dist\\server.js" does not exist. Run npm install'], 1],
  ['x', { fail: 'site' }, ['IIS has no site "Default Web Site".'],
    [...calls('').slice(0, 2), SITE.slice(0, 3)]],
  ['USERS\\a (b)\\c & d', {}, ['"C:\\USERS\\a (b)\\c & d" is in a user profile'], 2],
  ['\\\\server\\share\\x', { path: '\\\\server\\share\\x;' }, ['"\\\\server\\share\\x" is on'], 2],
  ['link', { path: 'C:\\link;%ProgramFiles%\\nodejs' }, ['"C:\\link" is a link, or on a'], 2],
  ['drive e\\x', { path: 'C:\\nodejs' }, ['"E:\\x" is a link, or on a'], 2],
  ['drive d', {}, ['"D:\\" is a whole drive'], 2],
  ['x', { fail: 'handlers' }, ['appcmd could not unlock'], 3],
  ['x', { fail: 'webSocket' }, ['appcmd could not unlock'], 4],
  ['x', { fail: 'RX' }, ['icacls could not give IIS_IUSRS access to "C:\\x".'], 5],
  ['x', { fail: '\\)M' }, ['icacls could not give IIS_IUSRS access to "C:\\x".'], 6],
  ['blocked', {}, ['The folder "C:\\blocked\\iisnode" could not be created.'], 5],
  ['x', { fail: '(list|add) app' }, ['appcmd could not register'], 8],
  ['users2', { fail: 'set vdir' }, ['appcmd could not register'], MOVED.slice(0, 8)],
  ['users2', { fail: 'none', path: 'C:\\x (y) & z;%NODES%;%SystemRoot%', says: CHECK }, [], MOVED],
  ['x', { arg: '/remove', fail: 'delete' }, ['appcmd could not remove'], [LIST, DELETE]],
  ['x', { arg: '/remove', fail: 'none' }, [], [LIST, DELETE, ...LOCKED]],
  ['x', { arg: '/remove', fail: 'list|/h' }, ['appcmd could not'], [LIST, ...LOCKED].slice(0, 2)],
  ['x', { arg: '/remove', fail: 'list|/w' }, ['appcmd could not'], [LIST, ...LOCKED]],
  ['x', { path: '%SystemDrive%\\users\\a b' }, ['WARNING: "C:\\users\\a b\\node.exe" is in'], 10],
  ['x', { path: 'C:\\old' }, ['WARNING: "C:\\old\\node.exe" does not start.'], 10],
  ['x', { path: '%NVM_SYMLINK%' }, ["WARNING: node.exe is not in the machine's PATH"], 10],
  ['x', { path: '%NOBODY%;C:\\x (y) & z', port: '80', fail: 'list app|WebS' },
    ['WARNING: node.exe', 'WARNING: Windows has a variable PORT', 'WARNING: The Windows feat'], 10],
  ['x', { site: `${BOUND},http/*:8080:,state:Stopped)`, says: PAGE.replace('/d', ':8080/d') },
    ['WARNING: The site "Default Web Site" is not started.'], 10],
  ['x', { site: `${BOUND},http/10.0.0.1:80:,state:Started)`, says: 'http://10.0.0.1/d' }, [], 10],
  ['x', { site: `${BOUND}a.example,state:Started)`, says: 'https://a.example:443/d' }, [], 10],
  ['x', { site: `${BOUND},state:Started)`, says: 'LogFiles\\W3SVC7"' }, [], 10],
  ['x', { site: BOUND.replace('https', 'ftp'), says: PAGE }, ['WARNING: The', 'WARNING: The'], 10],
  ['x', { user: 'other' }, ['Administrator rights are required.'], 0],
];

const messages = new Set<string>();
writeFileSync(wine.drive('double.js'), DOUBLE);
for (const name of ['windows/system32/inetsrv/appcmd', 'windows/system32/icacls',
  'Program Files/nodejs/node', 'a & (b)/node', 'users/a b/node', 'old/node', 'nodejs/node']) {
  const double = wine.drive(`${name}.exe`);
  mkdirSync(dirname(double), { recursive: true });
  rmSync(double, { force: true });
  symlinkSync(String(wine.NODE_EXES[0]), double);
}
const DEVICES = join(wine.folder, 'dosdevices');
symlinkSync(wine.drive('drive d'), join(DEVICES, 'd:'));
symlinkSync(wine.drive('drive e'), join(DEVICES, 'e:'));
mkdirSync(join(DEVICES, 'unc', 'server'), { recursive: true });
symlinkSync(wine.drive('share'), join(DEVICES, 'unc', 'server', 'share'));
symlinkSync(wine.drive('users', 'a b'), wine.drive('link'));
before(async () => {
  const set = (key: string, name: string, value: string) =>
    wine.start(['reg', 'add', key, '/v', name, '/d', value, '/f'], wine.folder, {}).ended;
  await set(SYSTEM, 'NODES', 'C:\\a & (b)');
  for (const name of ['NODES', 'NVM_SYMLINK']) await set(USER, name, 'C:\\users\\a b');
});

for (const [name, options, texts, wanted] of RUNS) {
  const title = `${JSON.stringify(options)}: ${texts.join() || 'no error'}`;
  test(`setup.bat in ${name}, ${title}`, async () => {
    const folder = wine.drive(...name.replace('\\\\server\\', '').split('\\'));
    const dos = name.startsWith('\\') ? name : `C:\\${name}`;
    const { app = '/dante', arg, fail = 'list app', path = '%ProgramFiles%\\nodejs\\' } = options;
    mkdirSync(join(folder, 'dist'), { recursive: true });
    writeFileSync(join(folder, 'setup.bat'), SETUP.toString().replace('APP=/dante', `APP=${app}`));
    if (!name.startsWith('new')) writeFileSync(join(folder, 'dist', 'server.js'), '');
    if (name === 'blocked') symlinkSync('nowhere', join(folder, 'iisnode'));
    // Wine makes real paths of links and shares, unless it finds setup.bat there by PATH.
    const cwd = path.startsWith(`${dos};`) ? wine.folder : folder;
    const call = (...args: string[]) => wine.start(args, cwd, {
      WINEPATH: 'C:\\windows\\system32', WINEDLLOVERRIDES: 'icacls.exe=n',
      NODE_OPTIONS: '--require=C:/double.js', FAIL: fail, APPCMD: options.appcmd,
      ANSWER: options.site ?? `${BOUND.replace('7', '1')},http/*:80:,state:Started)`,
    }).ended;
    await call('reg', 'add', SYSTEM, '/v', 'Path', '/t', 'REG_EXPAND_SZ', '/d', path, '/f');
    await call('reg', options.port ? 'add' : 'delete', SYSTEM, '/v', 'PORT', '/f');
    await call('reg', options.user ? 'delete' : 'add', 'HKU\\S-1-5-19', '/f');
    const log = wine.drive('log');
    const start = () => {
      writeFileSync(log, '');
      // Not every account has a variable PUBLIC.
      return call('cmd', '/c', 'set', 'PUBLIC=&', 'setup.bat', ...(arg ? [arg] : []));
    };
    let { code, stdout, stderr } = await start();
    // Once in thousands of times, Wine does not start a program that is there.
    if (stderr.includes("Can't recognize")) ({ code, stdout, stderr } = await start());
    for (const line of `${stdout}\n${stderr}`.split('\n')) messages.add(line.trim());
    assert.ok(texts.length ? texts.every((text) => stderr.includes(text)) : !stderr.trim(), stderr);
    assert.equal(stderr.split('WARNING').length, texts.join().split('WARNING').length, stderr);
    assert.ok(stdout.includes(options.says ?? ''), stdout);
    assert.equal(code, texts.every((text) => text.startsWith('WARNING')) ? 0 : 1);
    const lines = readFileSync(log, 'utf8').split('\n').filter(Boolean);
    const made = lines.map((line): string[] => JSON.parse(line));
    const all = calls(dos);
    assert.deepEqual(made, typeof wanted === 'number' ? all.slice(0, wanted) : wanted);
  });
}

test('the tests above have seen every message of setup.bat', () => {
  const texts = SETUP.toString().match(/(?<=^echo ).+?(?=( 1>&2)?\r$)/gm) ?? [];
  const unseen = texts.filter((text) => {
    const words = text.trim().replace(/[.*+?^$()[\]{}|\\]/g, '\\$&').replace(/%(~1|\w+%)/g, '.*');
    return ![...messages].some((message) => new RegExp(`^${words}$`).test(message));
  });
  assert.deepEqual(unseen, []);
});

test('setup.bat is ASCII with CRLF', () => {
  assert.match(SETUP.toString('latin1'), /^([\x20-\x7e]*\r\n)+$/);
});
