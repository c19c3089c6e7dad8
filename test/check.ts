/** Checks dante where it is hosted: `npm run check -- http://localhost/dante/server-faye.js`. */
import { parseArgs } from 'node:util';
import { behaviours, whole, type Site } from './support/behaviours.js';
import { exchange, request } from './support/raw.js';

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
  const { site, isWhole } = readArguments();
  await reach(site);
  console.log(`Checking ${site.url.href}. This takes about 45 seconds.`);
  for (const [name, hint, check] of isWhole ? [...behaviours, whole] : behaviours) {
    try {
      const detail = await check(site);
      console.log(`✔ ${name}${detail ? `: ${detail}` : ''}`);
    } catch (error) {
      process.exitCode = 1;
      console.log(`✖ ${name}\n    ${describe(error)}\n    ${hint}`);
    }
  }
}

function readArguments(): { site: Site; isWhole: boolean } {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { whole: { type: 'boolean' }, timeout: { type: 'string', default: '10' } },
  });
  const [address = ''] = positionals;
  const seconds = String(values.timeout);
  if (positionals.length !== 1) throw new Error(USAGE);
  if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) {
    throw new Error(`${address} is not the URL of a page, such as http://localhost:8888/.`);
  }
  if (!/^[1-9]\d{0,3}$/.test(seconds)) {
    throw new Error(`--timeout is "${seconds}", but must be whole seconds from 1 to 9999.`);
  }
  const timeoutMs = Number(seconds) * 1000;
  const site = { url: new URL(address), timeoutMs, pausesMs: [4000, 5000, 6000, 7000] };
  return { site, isWhole: values.whole === true };
}

/** Throws why there is nothing to check, if so. */
async function reach({ url, timeoutMs }: Site): Promise<void> {
  const text = request(url.pathname + url.search, { Host: url.host });
  const { status, body } = await exchange(url, text, { keep: true, timeoutMs }).catch((error) => {
    const { code = '', message } = error as NodeJS.ErrnoException; // Of node:net or node:tls.
    const [, reason] = REASONS.find(([pattern]) => pattern.test(code)) ?? [];
    throw new Error(`${url.href} ${reason ?? `cannot be checked. ${message}`}`);
  });
  if (body.includes('server-faye.js/client.js')) return;
  throw new Error(`${url.href} answers with status ${status}, but not with dante's page.`);
}

/** What was expected and seen, on one line. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { actual, expected, generatedMessage } = error as Error & Record<string, unknown>;
  const text = `Expected ${expected}, saw ${actual}.`;
  return (generatedMessage ? text : error.message).replace(/\s+/g, ' ').slice(0, 300);
}
