/** Checks dante where it is hosted: `npm run check -- http://localhost/dante/server-faye.js`. */
import { AssertionError } from 'node:assert';
import { parseArgs } from 'node:util';
import { ask, behaviours, type Site } from './support/behaviours.js';

const USAGE = 'Usage: npm run check -- URL [--whole] [--timeout SECONDS]';
/** Why an address cannot be checked, by the code of the error. */
const REASONS: [RegExp, string][] = [
  [/^ECONNREFUSED$/, 'refuses the connection: nothing listens there'],
  [/^(ENOTFOUND|EAI_AGAIN)$/, 'does not resolve: there is no such host'],
  [/CERT|SELF_SIGNED|UNABLE_TO_/, 'has a certificate that Node does not trust'],
  [/^(ERR_SSL|EPROTO)/, 'does not speak TLS: try http'],
];

// In `npm run check | head`, the reader of the output may be gone.
process.stdout.on('error', () => process.exit(1));
void main().catch(({ message }: Error) => {
  console.error(message);
  process.exitCode = 2;
}).finally(() => process.stdout.write('', () => process.exit()));

async function main(): Promise<void> {
  const { positionals: [address = '', ...others], values: { whole, timeout = '10' } } = parseArgs({
    allowPositionals: true,
    options: { whole: { type: 'boolean' }, timeout: { type: 'string' } },
  });
  if (!address || others.length > 0) throw new Error(USAGE);
  if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) {
    throw new Error(`${address} is not the URL of a page, such as http://localhost:8888/.`);
  }
  if (!/^[1-9]\d{0,3}$/.test(timeout)) {
    throw new Error(`--timeout is "${timeout}", but must be whole seconds from 1 to 9999.`);
  }
  const url = new URL(address);
  const site = { url, timeoutMs: Number(timeout) * 1000, pausesMs: [4000, 5000, 6000, 7000] };
  await reach(site);
  console.log(`Checking ${url.href}. This takes about 45 seconds.`);
  for (const [name, hint, check] of behaviours.slice(0, whole ? undefined : -1)) {
    try {
      const detail = await check(site);
      console.log(`✔ ${name}${detail ? `: ${detail}` : ''}`);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const isGenerated = error instanceof AssertionError && error.generatedMessage;
      const text = isGenerated ? `Expected ${error.expected}, saw ${error.actual}.` : error.message;
      console.log(`✖ ${name}\n    ${text.replace(/\s+/g, ' ').slice(0, 300)}\n    ${hint}`);
      process.exitCode = 1;
    }
  }
}

/** Throws why there is nothing to check, if so. */
async function reach(site: Site): Promise<void> {
  const { href } = site.url;
  const request = ask(site, 'GET', href);
  const { status, body } = await request.catch((error: NodeJS.ErrnoException) => {
    const { code = '', message } = error;
    const [, reason] = REASONS.find(([pattern]) => pattern.test(code)) ?? [];
    throw new Error(`${href} ${reason ?? `cannot be checked. ${message}`}`);
  });
  if (body.includes('server-faye.js/client.js')) return;
  throw new Error(`${href} answers with status ${status}, but not with dante's page.`);
}
