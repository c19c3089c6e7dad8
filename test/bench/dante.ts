/** The app of this project, with a stream on its metronome. */
import { createApp } from '../../dist/app.js';
import { createMetronome } from '../../dist/metronome.js';
import type { Reader } from '../../dist/reader.js';
import { intervalMs, serve, stanzas } from './report.js';

const metronome = createMetronome(intervalMs);
function begin(reader: Reader): void {
  let sent = 0;
  const leave = metronome.join(send);
  reader.on('close', leave);
  send();

  function send(): void {
    if (reader.send(stanzas[sent] ?? '')) sent += 1;
    if (sent < stanzas.length) return;
    leave();
    reader.close(1000);
  }
}
serve(createApp({ maxFrom: stanzas.length, begin }, { allowedOrigins: new Set() }).server);
