import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { installNode, type Binaries } from '../support/binaries.js';
import { ROOT } from '../support/program.js';
import { Wine, windowsPath, type Ended } from './wine.js';

/**
 * What appcmd.exe and icacls.exe do here: node.exe under their names is made to run this first. It
 * writes down its arguments, as a Windows program gets them, and fails where it is told to.
 */
const DOUBLE = `
const { appendFileSync, readFileSync } = require('node:fs');
const { basename } = require('node:path');
const name = basename(process.execPath).toLowerCase();
// Node takes the first argument for a script and makes a full path of it; appcmd's is a verb.
const first = name === 'appcmd.exe' ? basename(process.argv[1]) : process.argv[1];
const call = [name, first, ...process.argv.slice(2)];
appendFileSync(process.env.DANTE_CALLS, JSON.stringify(call) + '\\n');
const fail = process.env.DANTE_FAIL;
if (fail && call.join(' ').includes(fail)) {
  console.log('ERROR ( message:Access is denied. )');
  process.exit(5);
}
process.exit(0);
`;

const SECTION = '-section:system.webServer/';
const UNLOCKS = ['handlers', 'webSocket'].map((section) => [
  'appcmd.exe', 'unlock', 'config', 'Default Web Site/dante', SECTION + section, '-commitpath:apphost',
]);

describe('setup.bat, in the cmd.exe of Wine', { timeout: 600_000 }, () => {
  let binaries: Binaries;
  let wine: Wine;
  let calls: string;
  before(() => {
    binaries = installNode('win', [22]);
    wine = new Wine();
    calls = join(wine.folder, 'calls');
    writeFileSync(join(wine.folder, 'double.js'), DOUBLE);
    copyFileSync(binaries.path(22), wine.drive('windows', 'system32', 'icacls.exe'));
    mkdirSync(wine.drive('iis'));
    copyFileSync(binaries.path(22), wine.drive('iis', 'appcmd.exe'));
  });
  after(() => {
    wine?.remove();
    binaries?.remove();
  });
  beforeEach(async () => {
    await administrator(true);
  });

  /** Whether the local service account's registry can be read, by which setup.bat knows. */
  const administrator = (is: boolean): Promise<Ended> =>
    wine.start(['reg', is ? 'add' : 'delete', 'HKU\\S-1-5-19', '/f']).ended;

  /** A folder on drive C with what setup.bat looks for. */
  const makeFolder = (name: string): string => {
    const folder = wine.drive(...name.split('\\'));
    mkdirSync(join(folder, 'dist'), { recursive: true });
    cpSync(join(ROOT, 'setup.bat'), join(folder, 'setup.bat'));
    appendFileSync(join(folder, 'dist', 'server.js'), '');
    return folder;
  };

  const run = async (
    folder: string,
    { args = [] as string[], fail = '', env = {} as Record<string, string>, command = 'setup.bat', cwd = folder } = {},
  ): Promise<Ended & { calls: string[][] }> => {
    const start = (): Promise<Ended> => {
      rmSync(calls, { force: true });
      return wine.start(['cmd', '/c', command, ...args], {
        cwd,
        env: {
          APPCMD: 'C:\\iis\\appcmd.exe',
          WINEDLLOVERRIDES: 'icacls.exe=n',
          NODE_OPTIONS: `--require=${windowsPath(join(wine.folder, 'double.js')).replaceAll('\\', '/')}`,
          DANTE_CALLS: windowsPath(calls),
          DANTE_FAIL: fail,
          ...env,
        },
      }).ended;
    };
    let ended = await start();
    // Once in thousands of times Wine does not start a program that is there: what setup.bat does is seen in another run.
    if (ended.stderr.includes("Can't recognize")) ended = await start();
    const lines = existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n') : [];
    return { ...ended, calls: lines.map((line): string[] => JSON.parse(line)) };
  };

  const rights = (folder: string): string[][] => [
    ['icacls.exe', folder, '/grant', '*S-1-5-32-568:(OI)(CI)RX', '/q'],
    ['icacls.exe', `${folder}\\iisnode`, '/grant', '*S-1-5-32-568:(OI)(CI)M', '/q'],
  ];
  const LIST_MODULE = ['appcmd.exe', 'list', 'module', '/name:iisnode'];
  const LIST_APP = ['appcmd.exe', 'list', 'app', 'Default Web Site/dante'];
  const firstRun = (folder: string): string[][] => [
    LIST_MODULE,
    ...UNLOCKS,
    ...rights(folder),
    LIST_APP,
    ['appcmd.exe', 'add', 'app', '/site.name:Default Web Site', '/path:/dante', `/physicalPath:${folder}`, '/applicationPool:DefaultAppPool'],
  ];

  for (const name of ['dante', 'with space', 'Program Files (x86)\\x', 'a & b', 'oh! no!', 'dänte—ünïcode', "it's; a=b, c", '(x) & y! ^q']) {
    test(`the first run registers C:\\${name} as it is`, async () => {
      const folder = makeFolder(name);
      const { code, stdout, stderr, calls: made } = await run(folder, { fail: 'list app' });
      assert.deepEqual([code, stderr], [0, '']);
      assert.deepEqual(made, firstRun(`C:\\${name}`));
      assert.match(stdout, /Done\. Open http:\/\/localhost\/dante\/server-faye\.js\r?\n/);
      assert.ok(existsSync(join(folder, 'iisnode')));
    });
  }

  test('it works from any folder that it is called from', async () => {
    makeFolder('dante');
    const cwd = wine.drive('windows');
    const { code, calls: made } = await run(cwd, { fail: 'list app', command: 'C:\\dante\\setup.bat' });
    assert.equal(code, 0);
    assert.deepEqual(made, firstRun('C:\\dante'));
  });

  test('the second run points the application at this folder', async () => {
    const { code, calls: made } = await run(makeFolder('moved here'));
    assert.equal(code, 0);
    assert.deepEqual(made.slice(-2), [
      ['appcmd.exe', 'set', 'vdir', 'Default Web Site/dante/', '/physicalPath:C:\\moved here'],
      ['appcmd.exe', 'set', 'app', 'Default Web Site/dante', '/applicationPool:DefaultAppPool'],
    ]);
    assert.ok(!made.some(([, verb]) => verb === 'add'));
  });

  test('/remove takes it out again, and locks what was unlocked', async () => {
    const { code, stderr, calls: made } = await run(makeFolder('dante'), { args: ['/remove'] });
    assert.deepEqual([code, stderr], [0, '']);
    assert.deepEqual(made, [
      LIST_APP,
      ['appcmd.exe', 'delete', 'app', 'Default Web Site/dante'],
      ...UNLOCKS.map((call) => call.map((word) => (word === 'unlock' ? 'lock' : word))),
    ]);
  });

  test('/remove a second time finds nothing to do', async () => {
    const { code, stdout, calls: made } = await run(makeFolder('dante'), { args: ['/remove'], fail: 'list app' });
    assert.equal(code, 0);
    assert.deepEqual(made, [LIST_APP]);
    assert.match(stdout, /nothing to remove/);
  });

  test('/? explains, and does nothing', async () => {
    await administrator(false);
    const { code, stdout, calls: made } = await run(makeFolder('dante'), { args: ['/?'] });
    assert.equal(code, 0);
    assert.deepEqual(made, []);
    assert.match(stdout, /setup\.bat \/remove/);
  });

  test('anything else is refused by its name', async () => {
    const { code, stderr, calls: made } = await run(makeFolder('dante'), { args: ['/uninstall'] });
    assert.equal(code, 1);
    assert.deepEqual(made, []);
    assert.match(stderr, /^"\/uninstall" is not understood/);
  });

  for (const args of [[], ['/remove']]) {
    test(`not an administrator: setup.bat ${args.join()} says so and does nothing`, async () => {
      await administrator(false);
      const { code, stderr, calls: made } = await run(makeFolder('dante'), { args });
      assert.equal(code, 1);
      assert.deepEqual(made, []);
      assert.match(stderr, /^This takes an administrator: right-click/);
    });

    test(`no IIS: setup.bat ${args.join()} says so`, async () => {
      const { code, stderr, calls: made } = await run(makeFolder('dante'), { args, env: { APPCMD: '' } }); // Empty is unset, on Windows.
      assert.equal(code, 1);
      assert.deepEqual(made, []);
      assert.match(stderr, /^There is no "C:\\windows\\System32\\inetsrv\\appcmd\.exe": install IIS/i);
    });
  }

  test('not built: it says npm install', async () => {
    const folder = makeFolder('unbuilt (x)');
    rmSync(join(folder, 'dist'), { recursive: true });
    const { code, stderr, calls: made } = await run(folder);
    assert.equal(code, 1);
    assert.deepEqual(made, [LIST_MODULE]);
    assert.match(stderr, /^There is no "C:\\unbuilt \(x\)\\dist\\server\.js": run npm install/);
  });

  for (const name of ['users\\Public\\dante', 'users\\somebody\\a (b)\\c & d', 'USERS\\x']) {
    test(`C:\\${name} is in a user profile: it says why and where to`, async () => {
      const { code, stderr, calls: made } = await run(makeFolder(name));
      assert.equal(code, 1);
      assert.deepEqual(made, [LIST_MODULE]);
      assert.match(stderr, /is in a user profile[^]*EPERM: lstat[^]*C:\\inetpub\\dante/);
    });
  }

  test('a folder whose name only begins like that of the profiles is none of them', async () => {
    assert.equal((await run(makeFolder('users2'))).code, 0);
  });

  for (const [fail, words, made] of [
    ['list module', /^IIS has no module named iisnode: install iisnode/, 1],
    ['unlock config Default Web Site/dante -section:system.webServer/handlers', /^appcmd could not unlock/, 2],
    ['unlock config Default Web Site/dante -section:system.webServer/webSocket', /^appcmd could not unlock/, 3],
    ['(OI)(CI)RX', /^IIS_IUSRS could not be given its rights/, 4],
    ['(OI)(CI)M', /^IIS_IUSRS could not be given its rights/, 5],
    ['set vdir', /^appcmd could not register/, 7],
    ['set app', /^appcmd could not register/, 8],
  ] as const) {
    test(`where "${fail}" fails, it stops there and says what to do`, async () => {
      const { code, stderr, calls: all } = await run(makeFolder('dante'), { fail });
      assert.equal(code, 1);
      assert.equal(all.length, made);
      assert.match(stderr, words);
    });
  }

  test('where the application cannot be added, it stops there and says what to do', async () => {
    // Both fail that name the application by its path: it is not there, and it cannot be added.
    const { code, stderr, calls: all } = await run(makeFolder('dante'), { fail: ' app ' });
    assert.equal(code, 1);
    assert.equal(all.at(-1)?.[1], 'add');
    assert.match(stderr, /^appcmd could not register/);
  });

  for (const [fail, made] of [['delete app', 2], ['lock config Default Web Site/dante -section:system.webServer/handlers', 3], ['system.webServer/webSocket', 4]] as const) {
    test(`/remove: where "${fail}" fails, it stops there and says so`, async () => {
      const { code, stderr, calls: all } = await run(makeFolder('dante'), { args: ['/remove'], fail });
      assert.equal(code, 1);
      assert.equal(all.length, made);
      assert.match(stderr, /^appcmd could not remove all/);
    });
  }

  test('every line of it ends in CRLF, in a ZIP of the repository too', () => {
    const crlf = (text: Buffer): void => {
      assert.doesNotMatch(text.toString('latin1'), /[^\r]\n|[^\x00-\x7f]|[^\n]$/);
    };
    crlf(readFileSync(join(ROOT, 'setup.bat')));
    // A copy that was downloaded as a ZIP is its own proof.
    if (!existsSync(join(ROOT, '.git'))) return;
    const git = (...args: string[]): Buffer => execFileSync('git', args, { cwd: ROOT });
    const committed = git('show', 'HEAD:setup.bat');
    crlf(committed);
    assert.ok(git('archive', '--format=zip', '-0', 'HEAD', 'setup.bat').includes(committed));
  });
});
