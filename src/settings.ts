export type Settings = ReturnType<typeof readSettings>;
/** An invalid setting. The message names the variable, the value and what is accepted. */
export class SettingError extends Error {}

/** Reads environment variables. A missing or blank one gets its default. Throws SettingError. */
export function readSettings(env: NodeJS.ProcessEnv) {
  // In cmd.exe, `set PORT=80 && npm start` sets "80 ".
  const read = (name: string): string => env[name]?.trim() ?? '';
  return {
    listen: parseListen(read('PORT') || '8888', read('HOST')),
    /** From one stanza to the next, in milliseconds. */
    intervalMs: parseInteger('INTERVAL_MS', read('INTERVAL_MS') || '2000', 1, 60_000),
    /** Of other sites, whose pages may connect. */
    allowedOrigins: new Set(read('ALLOWED_ORIGINS').split(',').filter(Boolean).map(parseOrigin)),
  };
}

type Listen = { port: number; host?: string } | { path: string }; // For server.listen().
function parseListen(port: string, host: string): Listen {
  if (/[/\\]/.test(port)) return { path: port };
  const path = 'a socket such as /run/dante.sock, or a pipe such as \\\\.\\pipe\\dante';
  return { port: parseInteger('PORT', port, 0, 65_535, path), ...(host && { host }) };
}

function parseInteger(name: string, text: string, min: number, max: number, other?: string) {
  if (/^\d+$/.test(text) && Number(text) >= min && Number(text) <= max) return Number(text);
  const accepted = `a whole number from ${min} to ${max}${other ? `, or ${other}` : ''}`;
  throw new SettingError(`${name}: ${JSON.stringify(text)} is not ${accepted}.`);
}

function parseOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`) return url.origin;
  const accepted = 'an origin such as https://a.example:8443';
  throw new SettingError(`ALLOWED_ORIGINS: ${JSON.stringify(text)} is not ${accepted}.`);
}
