/** Tells whether dante works where it is hosted: `npm run check -- http://localhost/dante/server-faye.js`. */
import { parseArgs } from 'node:util';
import { behaviours, whole, type Site } from './support/behaviours.js';
import { exchange, handshake } from './support/raw.js';

const USAGE = 'usage: npm run check -- URL [--whole] [--timeout SECONDS], such as http://localhost:8888/';

/** Why an address cannot be tried, by the code of the error. */
const REASONS: [RegExp, string][] = [
  [/^ECONNREFUSED$/, 'refuses the connection: nothing listens there'],
  [/^(ENOTFOUND|EAI_AGAIN)$/, 'does not resolve: there is no such host'],
  [/CERT|SELF_SIGNED|UNABLE_TO_/, 'has a certificate that is not to be trusted'],
  [/^(ERR_SSL|EPROTO)/, 'does not speak TLS: try it with http'],
];

// Once all is written: what is left open then need not be waited for.
void main().then((code) => process.stdout.write('', () => process.exit(code)));

async function main(): Promise<number> {
  const site = readArguments();
  if (typeof site === 'string') return giveUp(site);
  const problem = await findProblem(site);
  if (problem) return giveUp(`${site.url.href} ${problem}.`);
  let failures = 0;
  for (const { name, help, check } of site.list) {
    try {
      const detail = await check(site);
      console.log(`✔ ${name}${detail ? `: ${detail}` : ''}`);
    } catch (error) {
      failures += 1;
      console.log(`✖ ${name}\n    ${describe(error)}\n    README.md helps: | ${help} |`);
    }
  }
  return failures > 0 ? 1 : 0;
}

function giveUp(message: string): number {
  console.error(message);
  return 2;
}

function readArguments(): (Site & { list: typeof behaviours }) | string {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { whole: { type: 'boolean' }, timeout: { type: 'string', default: '10' } },
    });
    const [address = ''] = positionals;
    const seconds = String(values.timeout);
    if (positionals.length !== 1) return USAGE;
    if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) {
      return `${address} is no URL of a page: it takes one such as http://localhost:8888/.`;
    }
    if (!/^[1-9]\d{0,3}$/.test(seconds)) {
      return `--timeout is ${JSON.stringify(seconds)}, but takes whole seconds from 1 to 9999.`;
    }
    const site: Site = {
      url: new URL(address),
      timeoutMs: Number(seconds) * 1000,
      silencesMs: [4000, 5000, 6000, 7000],
    };
    const list = behaviours.filter(({ applies }) => applies?.(site) ?? true);
    return { ...site, list: values.whole ? [...list, whole] : list };
  } catch (error) {
    return `${describe(error)} ${USAGE}`;
  }
}

/** Why there is nothing to try, if so. */
async function findProblem({ url, timeoutMs }: Site): Promise<string | undefined> {
  const unset = ['Connection', 'Upgrade', 'Sec-WebSocket-Version', 'Sec-WebSocket-Key'];
  const headers = { ...Object.fromEntries(unset.map((name) => [name, undefined])), Host: url.host };
  try {
    const { status, body } = await exchange(url, handshake(url.pathname + url.search, headers), { whole: true, timeoutMs });
    if (status === 0) return 'answers with something that is not HTTP';
    if (body.includes('server-faye.js/client.js')) return undefined;
    return `answers with status ${status} and something else than dante's page`;
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException; // What node:net and node:tls throw.
    const reason = REASONS.find(([pattern]) => pattern.test(code))?.[1];
    if (reason) return reason;
    return / within /.test(message) ? `does not answer within ${timeoutMs / 1000} s` : `cannot be reached: ${message}`;
  }
}

/** What was expected and seen, on one line. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { actual, expected, generatedMessage } = error as Error & { actual?: unknown; expected?: unknown; generatedMessage?: boolean };
  const show = (value: unknown): string => (value instanceof RegExp ? String(value) : JSON.stringify(value));
  const text = generatedMessage ? `Expected ${show(expected)}, saw ${show(actual)}.` : error.message;
  return text.replace(/\s+/g, ' ').slice(0, 300);
}
