/** The app of this project, with a stream on its metronome. */
import { createApp } from '../../dist/app.js';
import { createStream } from '../support/app.js';
import { intervalMs, serve, stanzas } from './report.js';

serve(createApp(createStream(stanzas, intervalMs), { allowedOrigins: new Set() }).server);
