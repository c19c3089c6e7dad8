import { createHistory } from './history.js';
import type { Reader, Stream } from './reader.js';
import type { IncomingMessage } from 'node:http';

/** A copy: slice() alone would keep the whole text in memory. */
const oneLine = (text: string, max: number): string =>
  Buffer.from(text.replace(/\s+/g, ' ').slice(0, max)).toString();

/**
 * A chat: what one client sends, all clients get. A page at `/?name=Ann` sends as Ann. It needs
 * history.ts in src/ and form.js in public/. Add this to public/index.html, below the list:
 *
 *     <form><input name="text" maxlength="250" aria-label="Message" required></form>
 *     <script type="module" src="server-faye.js/form.js"></script>
 */
export function createChat(): Stream {
  const { add, stream } = createHistory();
  function begin(reader: Reader, from: number, request: IncomingMessage): void {
    const query = new URLSearchParams(request.url?.split('?')[1]);
    const name = oneLine(query.get('name') || 'Somebody', 30);
    reader.on('message', ({ data }) => {
      if (!add(`${name}: ${oneLine(`${data}`, 1000)}`)) reader.close(4008, 'the chat is busy');
    });
    stream.begin(reader, from);
  }
  return { ...stream, begin };
}
