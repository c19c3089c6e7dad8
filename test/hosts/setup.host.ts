import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { NODE_EXES, ROOT, Wine } from './wine.js';

/** The double of appcmd, icacls and others: node.exe under their names, which runs this first. */
const DOUBLE = String.raw`
const { appendFileSync, existsSync, rmSync, writeFileSync } = require('node:fs');
const { argv, env: { LOG, FAIL }, execPath, exit } = process;
const { basename } = require('node:path');
const name = basename(execPath, '.exe').toLowerCase();
if (name === 'node') return;
// Node.js makes a full path of the first argument, which only icacls is given.
const [first = '', ...rest] = argv.slice(1);
const call = [name, name === 'icacls' ? first : basename(first), ...rest];
appendFileSync(LOG, JSON.stringify(call) + '\n');
const verb = call[2] === 'app' && call[1];
if (verb === 'list' && !existsSync(LOG + '.app')) exit(1);
if (FAIL && new RegExp(FAIL).test(call.join(' '))) exit(5);
if (verb === 'add') writeFileSync(LOG + '.app', '');
if (verb === 'delete') rmSync(LOG + '.app');
exit(0);
`;
const SETUP = readFileSync(join(ROOT, 'setup.bat'));
const SYSTEM = 'HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment';
const APP = 'Default Web Site/dante';
const LIST = ['appcmd', 'list', 'app', APP];
const ADD = ['add', 'app', '/site.name:Default Web Site', '/path:/dante'];
const config = (verb: string) => ['handlers', 'webSocket'].map((name) =>
  ['appcmd', verb, 'config', APP, `-section:system.webServer/${name}`, '-commitpath:apphost']);
/** What setup.bat calls in a folder: it adds the application, or moves it there. */
const calls = (folder: string, register = ADD): string[][] => [
  ['appcmd', 'list', 'module', '/name:iisnode'],
  ...config('unlock'),
  ['icacls', folder, '/grant', '*S-1-5-32-568:(OI)(CI)RX', '/q'],
  ['icacls', `${folder}\\iisnode`, '/grant', '*S-1-5-32-568:(OI)(CI)M', '/q'],
  LIST,
  ['appcmd', ...register, `/physicalPath:${folder}`],
  ['appcmd', 'set', 'app', APP, '/applicationPool:DefaultAppPool'],
  ['appcmd', 'list', 'module', '/name:WebSocketModule'],
];
const MOVED = calls('C:\\x', ['set', 'vdir', `${APP}/`]).slice(0, 7);
const DELETED = [LIST, ['appcmd', 'delete', 'app', APP]];
const LOCKED = config('lock');

/** `fail`: which call fails; `path`, `port`: the machine's; `log`: the name of the machine. */
type Options = { [key in 'arg' | 'fail' | 'path' | 'port' | 'log' | 'user' | 'appcmd']?: string };
/** The folder, how setup.bat runs there, what it says on stderr, and its calls, or how many. */
const RUNS: [folder: string, options: Options, messages: string[], made: number | string[][]][] = [
  ["Program Files (x86)\\oh! it's; a & b ^q dänte—ünï", {}, [], 9],
  ['x', { arg: '/?' }, [], 0],
  ['x', { arg: '/uninstall' }, ['Unknown argument "/uninstall". Run setup.bat without'], 0],
  ['x', { appcmd: 'C:\\no' }, ['IIS or its scripting tools are missing: "C:\\no" does not'], 0],
  ['x', { fail: 'iisnode' }, ['IIS has no module named iisnode. Install iisnode-full-v0.2.26'], 1],
  ['new (x)', {}, ['"C:\\new (x)\\dist\\server.js" does not exist. Run npm install'], 1],
  ['USERS\\a (b)\\c & d', {}, ['"C:\\USERS\\a (b)\\c & d" is in a user profile'], 1],
  ['drive d', {}, ['"D:\\" is a whole drive'], 1],
  ['x', { fail: 'handlers' }, ['appcmd could not unlock'], 2],
  ['x', { fail: 'webSocket' }, ['appcmd could not unlock'], 3],
  ['x', { fail: 'RX' }, ['icacls could not give IIS_IUSRS access to "C:\\x".'], 4],
  ['x', { fail: '\\)M' }, ['icacls could not give IIS_IUSRS access to "C:\\x".'], 5],
  ['blocked', {}, ['The folder "C:\\blocked\\iisnode" could not be created.'], 4],
  ['x', { fail: 'add app' }, ['appcmd could not register'], 7],
  ['x', { fail: 'set app' }, ['appcmd could not register'], 8],
  ['users2', { log: 'twice', path: 'C:\\x (y) & z;C:\\a & (b);%SystemRoot%' }, [], 9],
  ['x', { log: 'twice', fail: 'set vdir' }, ['appcmd could not register'], MOVED],
  ['x', { log: 'twice', arg: '/remove', fail: 'delete' }, ['appcmd could not remove'], DELETED],
  ['x', { log: 'twice', arg: '/remove' }, [], [...DELETED, ...LOCKED]],
  ['x', { arg: '/remove', fail: ' lock.*/h' }, ['appcmd could not'], [LIST, ...LOCKED].slice(0, 2)],
  ['x', { arg: '/remove', fail: ' lock.*/w' }, ['appcmd could not'], [LIST, ...LOCKED]],
  ['x', { arg: '/remove' }, [], [LIST, ...LOCKED]],
  ['x', { path: '%SystemDrive%\\users\\a b' }, ['WARNING: "C:\\users\\a b\\node.exe" is in'], 9],
  ['x', { path: '%NOBODY%;C:\\x (y) & z', port: '80', fail: 'WebS' },
    ['WARNING: node.exe', 'WARNING: Windows has a variable PORT', 'WARNING: The Windows feat'], 9],
  ['x', { user: 'other' }, ['Administrator rights are required.'], 0],
];

describe('setup.bat in the cmd.exe of Wine', () => {
  const wine = new Wine(300_000);
  const messages = new Set<string>();
  let [runs, registry] = [0, ''];
  writeFileSync(wine.drive('double.js'), DOUBLE);
  for (const name of ['windows/system32/inetsrv/appcmd', 'windows/system32/icacls', 'bin/npm',
    'bin/choco', 'bin/net', 'Program Files/nodejs/node', 'a & (b)/node', 'users/a b/node']) {
    const double = wine.drive(`${name}.exe`);
    mkdirSync(dirname(double), { recursive: true });
    rmSync(double, { force: true });
    symlinkSync(String(NODE_EXES[0]), double);
  }
  symlinkSync(wine.drive('drive d'), join(wine.folder, 'dosdevices', 'd:'));

  /** Runs setup.bat or a command in a folder on drive C that has what setup.bat looks for. */
  async function run(name: string, options: Options = {}, command = 'setup.bat') {
    const folder = wine.drive(...name.split('\\'));
    mkdirSync(join(folder, 'dist'), { recursive: true });
    writeFileSync(join(folder, 'setup.bat'), SETUP);
    if (!name.startsWith('new')) writeFileSync(join(folder, 'dist', 'server.js'), '');
    if (name === 'blocked') symlinkSync('nowhere', join(folder, 'iisnode'));
    const { arg = '', user = '', port = '', path = '%ProgramFiles%\\nodejs\\' } = options;
    const log = `${options.log ?? (runs += 1)}.log`;
    const call = (...args: string[]) => wine.start(args, folder, {
      WINEPATH: 'C:\\bin;C:\\windows\\system32', WINEDLLOVERRIDES: 'icacls.exe=n',
      NODE_OPTIONS: '--require=C:/double.js', LOG: `C:\\${log}`, FAIL: options.fail,
      APPCMD: options.appcmd, PAGE: 'http://x/',
    }).ended;
    const wanted = path + user + port;
    if (registry !== wanted) {
      await call('reg', 'add', SYSTEM, '/v', 'Path', '/t', 'REG_EXPAND_SZ', '/d', path, '/f');
      await call('reg', port ? 'add' : 'delete', SYSTEM, '/v', 'PORT', '/f');
      await call('reg', user ? 'delete' : 'add', 'HKU\\S-1-5-19', '/f');
      registry = wanted;
    }
    const start = () => {
      writeFileSync(wine.drive(log), '');
      // Not every account has a variable PUBLIC.
      return call('cmd', '/c', 'set', 'PUBLIC=&', command, ...(arg ? [arg] : []));
    };
    let { code, stdout, stderr } = await start();
    // Once in thousands of times, Wine does not start a program that is there.
    if (stderr.includes("Can't recognize")) ({ code, stdout, stderr } = await start());
    for (const line of `${stdout}\n${stderr}`.split('\n')) messages.add(line.trim());
    const lines = readFileSync(wine.drive(log), 'utf8').split('\n').filter(Boolean);
    return { code, stderr: stderr.trim(), made: lines.map((line): string[] => JSON.parse(line)) };
  }

  for (const [folder, options, texts, wanted] of RUNS) {
    test(`C:\\${folder}, ${JSON.stringify(options)}: ${texts.join() || 'no error'}`, async () => {
      const { code, stderr, made } = await run(folder, options);
      assert.ok(texts.length ? texts.every((text) => stderr.includes(text)) : !stderr, stderr);
      assert.equal(stderr.split('WARNING').length, texts.join().split('WARNING').length, stderr);
      assert.equal(code, texts.every((text) => text.startsWith('WARNING')) ? 0 : 1);
      const all = calls(`C:\\${folder}`);
      assert.deepEqual(made, typeof wanted === 'number' ? all.slice(0, wanted) : wanted);
    });
  }

  test('each line of the cmd steps of iis.yml runs', async () => {
    const workflow = readFileSync(join(ROOT, '.github', 'workflows', 'iis.yml'), 'utf8');
    const options = { log: 'workflow', appcmd: 'C:\\windows\\system32\\inetsrv\\appcmd.exe' };
    for (const step of workflow.split(/^ {6}- /m)) {
      const script = /^ {8}run: (?:\|\n)?([^]*)/m.exec(step)?.[1];
      if (!script || /shell: powershell|if: failure/.test(step)) continue;
      writeFileSync(wine.drive('step.cmd'), `@echo off\r\n${script.replaceAll('\n', '\r\n')}`);
      const { code, stderr, made } = await run('clone', options, 'C:\\step.cmd');
      assert.equal(code, 0, script + stderr);
      const ran = made.map((call) => call.join(' '));
      for (const [line] of script.matchAll(/(npm|choco|net|%APPCMD%) .*/g)) {
        const wanted = line.replace('%APPCMD%', 'appcmd').replace('%PAGE%', 'http://x/');
        assert.ok(ran.includes(wanted), `${wanted} is not in:\n${ran.join('\n')}`);
      }
    }
  });

  test('the tests above have seen every message of setup.bat', () => {
    const texts = SETUP.toString().match(/(?<=^echo ).+?(?=( 1>&2)?\r$)/gm) ?? [];
    const unseen = texts.filter((text) => {
      const words = text.trim().replace(/[.*+?^$()[\]{}|\\]/g, '\\$&').replace(/%(~1|\w+%)/g, '.*');
      return ![...messages].some((message) => new RegExp(`^${words}$`).test(message));
    });
    assert.deepEqual(unseen, []);
  });

  test('setup.bat is ASCII with CRLF, also in an archive of the repository', () => {
    const archive = execFileSync('git', ['archive', 'HEAD', 'setup.bat'], { cwd: ROOT });
    const [file] = /@echo off[^\0]*/.exec(archive.toString('latin1')) ?? [''];
    for (const it of [file, SETUP.toString('latin1')]) assert.match(it, /^([\x20-\x7e]*\r\n)+$/);
  });
});
