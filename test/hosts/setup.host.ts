import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import * as wine from './wine.js';

// The double of appcmd and icacls: node.exe under their names, which runs this first.
writeFileSync(wine.at('C:\\double.js'), String.raw`
const { basename } = require('node:path');
const { argv, cwd, env: { ANSWER, FAIL }, execPath, exit } = process;
// What Windows answers for a drive that subst has made.
if (cwd().startsWith('E:')) require('node:fs').realpathSync.native = () => 'C:\\users\\x';
const name = basename(execPath, '.exe');
// Node.js makes a full path of the first argument, which only icacls is given.
if (name === 'appcmd') argv[1] = basename(argv[1]);
const call = [name, ...argv.slice(1)].join('|');
if (argv.length > 3) console.error(call); // "list site" alone is for the user.
if (call.includes('|site')) console.log('SITE "Default Web Site" (id:7,bindings:' + ANSWER);
if (new RegExp(FAIL).test(call)) exit(5);
if (name !== 'node') exit(0);
`);
for (const name of ['system32\\inetsrv\\appcmd', 'system32\\icacls', 'temp\\node']) {
  cpSync(String(wine.NODE_EXES[0]), wine.at(`C:\\windows\\${name}.exe`));
}
cpSync(String(wine.NODE_EXES[0]), wine.at('C:\\users\\a b\\node.exe'));
symlinkSync(wine.at('C:\\users\\a b'), wine.at('C:\\link'));
const reg = (...args: string[]) => wine.run(['reg', ...args, '/f'], wine.ROOT, {});
before(() => reg('add', 'HKCU\\Environment', '/v', 'NVM_SYMLINK', '/d', 'C:\\users\\a b'));

const SETUP = readFileSync(join(wine.ROOT, 'setup.bat'), 'latin1');
const SYSTEM = 'HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment';
const APP = 'Default Web Site/dante';
/** All calls of setup.bat in a folder, if IIS `has` the application already and if not. */
const add = (has: boolean, folder: string) => [
  'appcmd|list|module|/name:iisnode',
  'appcmd|list|site|Default Web Site',
  `appcmd|unlock|config|${APP}|-section:system.webServer/handlers|-commitpath:apphost`,
  `appcmd|unlock|config|${APP}|-section:system.webServer/webSocket|-commitpath:apphost`,
  `icacls|${folder}|/grant|*S-1-5-32-568:(OI)(CI)RX|/q`,
  `icacls|${folder}\\iisnode|/grant|*S-1-5-32-568:(OI)(CI)M|/q`,
  `appcmd|list|app|${APP}`,
  has ? `appcmd|set|vdir|${APP}/|/physicalPath:${folder}`
    : `appcmd|add|app|/site.name:Default Web Site|/path:/dante|/physicalPath:${folder}` +
      '|/applicationPool:DefaultAppPool',
  'appcmd|list|module|/name:WebSocketModule',
  'appcmd|list|site|Default Web Site',
];
const remove = (has: boolean) => [
  `appcmd|list|app|${APP}`,
  ...(has ? [`appcmd|delete|app|${APP}`] : []),
  `appcmd|lock|config|${APP}|-section:system.webServer/handlers|-commitpath:apphost`,
  `appcmd|lock|config|${APP}|-section:system.webServer/webSocket|-commitpath:apphost`,
];

let printed = '';
/** Expects what setup.bat says on stderr, its first calls, and with `says` a part of stdout. */
const setup = (message: string, count: number, options: Record<string, string> = {}) =>
  test(`setup.bat with ${JSON.stringify(options)}: ${message || 'no error'}`, async () => {
    const { app = '/dante', arg = '', appcmd, fail = 'list.app', hku = 'add' } = options;
    const { folder = "C:\\users2\\oh! it's; (x86) a & b ^q dänte—ünï", says = '' } = options;
    const { path = 'C:\\x (y) & z;%TMP%\\;%SystemRoot%', port = 'delete' } = options;
    const { site = 'net.tcp/808:*,https/*:443:,http/*:80:,state:Started)' } = options;
    const root = wine.at(folder);
    mkdirSync(join(root, 'dist'), { recursive: true });
    writeFileSync(join(root, 'setup.bat'), SETUP.replace('APP=/dante', `APP=${app}`));
    if (!folder.includes('new')) writeFileSync(join(root, 'dist', 'server.js'), '');
    if (folder.includes('blocked')) symlinkSync('nowhere', join(root, 'iisnode'));
    await reg('add', SYSTEM, '/v', 'Path', '/t', 'REG_EXPAND_SZ', '/d', path);
    await reg(port, SYSTEM, '/v', 'PORT');
    // In HKU a key lasts only as long as some program runs.
    const commands = ['reg', hku, 'HKU\\S-1-5-19', '/f', '&', `${folder}\\setup.bat`, arg];
    const { code, stdout, stderr } = await wine.run(['cmd', '/c', ...commands], wine.ROOT, {
      WINEPATH: 'C:\\windows\\system32;C:\\windows\\temp', WINEDLLOVERRIDES: 'icacls.exe=n',
      NODE_OPTIONS: '--require=C:/double.js', FAIL: fail, APPCMD: appcmd, ANSWER: site,
    });
    printed += `${stdout}\n${stderr}`;
    const calls = (arg ? remove : add)(!fail.includes('list.app'), folder).slice(0, count);
    assert.deepEqual(stderr.match(/^(appcmd|icacls)\|.*/gm) ?? [], calls);
    const said = stderr.replace(/^(appcmd|icacls)\|.*\n/gm, '');
    assert.ok(message ? said.includes(message) : !said, stderr);
    assert.ok(said.lastIndexOf('WARNING') <= 0, stderr);
    assert.ok(stdout.includes(says), stdout);
    assert.equal(code, message && count < 10 ? 1 : 0);
  });

setup('', 0, { arg: '/?' });
setup('Unknown argument "/uninstall". Run setup.bat without', 0, { arg: '/uninstall' });
setup('APP is "/" at the top of setup.bat. It must', 0, { app: '/', arg: '/remove' });
setup('APP is "dante"', 0, { app: 'dante' });
setup('Administrator rights are required.', 0, { hku: 'delete' });
setup('IIS or its scripting tools are missing: "C:\\no" does not', 0, { appcmd: 'C:\\no' });
setup('IIS has no module named iisnode. Install iisnode-full-v0.2.26', 1, { fail: 'iisnode' });
setup('"C:\\new (x)\\dist\\server.js" does not exist. Run npm', 1, { folder: 'C:\\new (x)' });
setup('to one of these: \r\nSITE "Default', 2, { fail: 'site' });
setup('"C:\\USERS\\a (b)\\c & d" is in a user profile', 2, { folder: 'C:\\USERS\\a (b)\\c & d' });
setup('"\\\\server\\share\\x" is on', 2, { folder: '\\\\server\\share\\x' });
setup('"C:\\link" is a link, or on a', 2, { folder: 'C:\\link' });
setup('"E:\\x" is a link, or on a', 2, { folder: 'E:\\x' });
setup('"D:\\" is a whole drive', 2, { folder: 'D:\\' });
setup('appcmd could not unlock', 3, { fail: 'handlers' });
setup('appcmd could not unlock', 4, { fail: 'webSocket' });
setup('icacls could not give IIS_IUSRS access to "C:\\users2\\', 5, { fail: 'RX' });
setup('icacls could not give IIS_IUSRS access to "C:\\users2\\', 6, { fail: '\\)M' });
setup('The folder "C:\\blocked\\iisnode" could not be created.', 5, { folder: 'C:\\blocked' });
setup('appcmd could not register', 8, { fail: 'list.app|add.app' });
setup('appcmd could not register', 8, { fail: 'vdir' });
setup('"C:\\users\\a b\\node.exe" is in a user profile', 10, { path: '%SystemDrive%\\users\\a b' });
setup('"C:\\windows\\temp\\node.exe" does not start.', 10, { fail: 'list.app|^node' });
setup("node.exe is not in the machine's PATH", 10, { path: '%NVM_SYMLINK%;C:\\x (y) & z' });
setup('WARNING: Windows has a variable PORT', 10, { port: 'add', says: 'W3SVC7"' });
setup('The Windows feature', 10, { fail: 'list.app|/name:Web', says: 'http://localhost/dante/' });
setup('"Default Web Site" is not started.', 10, { site: 'http/*:80:,state:Stopped)' });
setup('has no binding', 10, { site: 'ftp/*:21:,state:Started)', says: '//localhost/dante/' });
setup('', 10, { fail: 'none', site: 'https/*:443:www,state:Started)', says: 'https://www:443/' });
setup('', 4, { arg: '/remove', fail: 'none' });
setup('appcmd could not remove', 2, { arg: '/remove', fail: 'delete' });
setup('appcmd could not remove', 3, { arg: '/remove', fail: '/handlers' });
setup('appcmd could not remove', 3, { arg: '/remove', fail: 'list.app|/webSocket' });

test('these tests have seen every message of setup.bat, which is ASCII with CRLF', () => {
  const texts = SETUP.match(/(?<=^echo ).+?(?=( 1>&2)?\r$)/gm) ?? [];
  const parts = texts.flatMap((text) => text.split(/%~1|%\w+%/));
  assert.deepEqual(parts.filter((part) => !printed.includes(part)), []);
  assert.match(SETUP, /^([\x20-\x7e]*\r\n)+$/);
});
