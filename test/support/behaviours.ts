/** What holds however dante is hosted: one list, run against every way of hosting. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { canto1 } from '../../dist/canto1.js';
import { connectTo, exchange, handshake } from './raw.js';
import { openReader } from './reader.js';

export interface Host {
  port: number;
  /** The path of the page; everything else is below it. */
  mount: '' | '/dante/server-faye.js';
}

export interface Behaviour {
  name: string;
  check(host: Host): Promise<void>;
}

const pageUrl = ({ port, mount }: Host): string => `http://127.0.0.1:${port}${mount || '/'}`;
const fileUrl = ({ port, mount }: Host, name: string): string => `http://127.0.0.1:${port}${mount}/${name}`;
const streamUrl = ({ port, mount }: Host, from: number): string =>
  `ws://127.0.0.1:${port}${mount}/ws?from=${from}`;

export const behaviours: Behaviour[] = [
  {
    name: 'the page and its files are there, with their headers',
    async check(host) {
      const page = await fetch(pageUrl(host));
      assert.equal(page.status, 200);
      assert.match(await page.text(), /<title>Dante, Inferno, Canto I/);
      for (const [name, type] of [
        ['style.css', 'text/css; charset=utf-8'],
        ['client.js', 'text/javascript; charset=utf-8'],
        ['reading.js', 'text/javascript; charset=utf-8'],
        ['favicon.svg', 'image/svg+xml; charset=utf-8'],
      ] as const) {
        const { status, headers } = await fetch(fileUrl(host, name));
        assert.equal(status, 200);
        assert.equal(headers.get('content-type'), type);
        const etag = headers.get('etag') ?? '';
        const again = await fetch(fileUrl(host, name), { headers: { 'If-None-Match': etag } });
        assert.equal(again.status, 304);
      }
      assert.equal((await fetch(pageUrl(host), { method: 'HEAD' })).status, 200);
    },
  },
  {
    name: 'the whole canto is read, each stanza once, in order, and closed with 1000',
    async check(host) {
      const reader = openReader(streamUrl(host, 0));
      assert.deepEqual(await reader.closed, { code: 1000, reason: '' });
      assert.deepEqual(reader.stanzas, canto1);
    },
  },
  {
    name: 'a reader that comes back with from=N hears stanza N+1 first, with from=46 only the close',
    async check(host) {
      for (const from of [1, 44, 46]) {
        const reader = openReader(streamUrl(host, from));
        assert.deepEqual(await reader.closed, { code: 1000, reason: '' });
        assert.deepEqual(reader.stanzas, canto1.slice(from));
      }
    },
  },
  {
    name: 'what is refused is refused in the words of the application',
    async check(host) {
      const missing = await fetch(fileUrl(host, 'missing.js'));
      assert.equal(missing.status, 404);
      assert.match(await missing.text(), /^There is nothing here: /);
      const posted = await fetch(pageUrl(host), { method: 'POST', body: 'x' });
      assert.equal(posted.status, 405);
      assert.match(await posted.text(), /^POST is not allowed here/);
      const plain = await fetch(fileUrl(host, 'ws'));
      assert.equal(plain.status, 426);
      assert.match(await plain.text(), /^This is a WebSocket stream/);
      for (const [target, changes, status, words] of [
        ['/wsx', {}, 404, /^There is nothing here/],
        ['/ws', { 'Sec-WebSocket-Version': '8' }, 426, /version 13/],
        ['/ws?from=47', {}, 400, /^from is "47", but takes a whole number from 0 to 46\.\n$/],
        ['/ws', { Origin: 'https://stranger.example' }, 403, /stranger\.example/],
      ] as const) {
        const answer = await exchange(host.port, handshake(host.mount + target, changes));
        assert.equal(answer.status, status);
        assert.match(answer.body, words);
      }
    },
  },
  {
    name: 'a message over 1 KiB closes with 1009, a smaller one is ignored',
    async check(host) {
      const reader = openReader(streamUrl(host, 0));
      await reader.opened;
      reader.socket.send('x'.repeat(1024));
      await once(reader.socket, 'message');
      reader.socket.send('x'.repeat(1025));
      assert.equal((await reader.closed).code, 1009);
    },
  },
  {
    name: 'clients that reset or vanish cost nothing',
    async check(host) {
      for (const bytes of [handshake(`${host.mount}/ws`), handshake(`${host.mount}/ws`).slice(0, 40)]) {
        for (let i = 0; i < 10; i += 1) {
          const socket = connectTo(host.port);
          socket.on('error', () => {}); // The reset may come back to us.
          await once(socket, 'connect');
          socket.write(bytes);
          if (i % 2) await new Promise(setImmediate);
          socket.resetAndDestroy();
        }
      }
      const reader = openReader(streamUrl(host, 40));
      assert.equal((await reader.closed).code, 1000);
      assert.equal(reader.stanzas.length, 6);
    },
  },
];
