/** The double of IIS as a program of its own: `node iis-program.js FOLDER [PORT]`. Prints its port. */
import { Iis } from './iis.js';

const [root = '', port = '0'] = process.argv.slice(2);
void Iis.start({ root }, Number(port)).then((iis) => console.log(`listening on ${iis.port}`));
