import type { IncomingMessage } from 'node:http';
import { createHistory } from './history.js';
import type { Reader, Stream } from './reader.js';

/**
 * A chat: what one client sends, all clients get. A page at `/?name=Ann` sends as Ann. It needs
 * history.ts in src/ and form.js in public/. Add this to public/index.html, below the list:
 *
 *     <form><input name="text" maxlength="250" aria-label="Message" required></form>
 *     <script type="module" src="server-faye.js/form.js"></script>
 */
export function createChat(): Stream {
  const { publish, stream } = createHistory();
  const waiting: string[] = [];

  /** One line in each turn of the event loop, so that other requests get in between. */
  function publishNext(): void {
    publish(waiting.shift() ?? '');
    if (waiting.length > 0) setImmediate(publishNext);
  }

  function begin(reader: Reader, from: number, request: IncomingMessage): void {
    const query = new URLSearchParams(request.url?.split('?')[1]);
    // A copy: a part of the URL would keep all of it in memory.
    const name = Buffer.from(query.get('name')?.slice(0, 30) || 'Somebody').toString();
    reader.on('message', ({ data }) => {
      if (waiting.length >= 1000) return reader.close(4008, 'the chat is busy');
      const line = `${name}: ${String(data).slice(0, 250)}`.replace(/\s+/g, ' ');
      if (waiting.push(line) === 1) setImmediate(publishNext);
    });
    stream.begin(reader, from);
  }
  return { ...stream, begin };
}
