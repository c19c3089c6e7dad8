const PATHS = 'a socket such as /run/dante.sock, or a pipe such as \\\\.\\pipe\\dante';
/** An invalid setting. The message names the variable, the value and what is accepted. */
export class SettingError extends Error {}

/** Reads environment variables. A missing or blank one gets its default. Throws SettingError. */
export function readSettings(env: NodeJS.ProcessEnv) {
  const read = (name: string): string => env[name]?.trim() ?? ''; // cmd.exe may add a space.
  const port = read('PORT') || '8888';
  return {
    listen: /[/\\]/.test(port) ? { path: port } :
      { port: parseInteger('PORT', port, 0, 65_535, `, or ${PATHS}`), host: read('HOST') },
    /** From one stanza to the next, in milliseconds. */
    intervalMs: parseInteger('INTERVAL_MS', read('INTERVAL_MS') || '2000', 1, 60_000),
    /** Of other sites, whose pages may connect. */
    allowedOrigins: new Set(read('ALLOWED_ORIGINS').split(',').filter(Boolean).map(parseOrigin)),
  };
}

function parseInteger(name: string, text: string, min: number, max: number, or = '') {
  if (/^\d+$/.test(text) && Number(text) >= min && Number(text) <= max) return Number(text);
  const accepted = `a whole number from ${min} to ${max}${or}`;
  throw new SettingError(`${name}: ${JSON.stringify(text)} is not ${accepted}.`);
}

function parseOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`) return url.origin;
  const accepted = 'an origin such as https://a.example:8443';
  throw new SettingError(`ALLOWED_ORIGINS: ${JSON.stringify(text)} is not ${accepted}.`);
}
