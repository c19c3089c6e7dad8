/** The double of IIS as a program of its own: `node iis-program.js FOLDER`. Prints its port. */
import { Iis } from './iis.js';

void Iis.start({ root: process.argv[2] ?? '' }).then((iis) => console.log(`listening on ${iis.port}`));
