/** The settings of the server, from environment variables. */
export interface Settings {
  listen: { port: number; host?: string } | { path: string }; // For server.listen().
  intervalMs: number; // From one stanza to the next, in milliseconds.
  allowedOrigins: ReadonlySet<string>; // Other origins whose pages may connect.
}

/** An invalid setting. The message names the variable, the value and what is accepted. */
export class SettingError extends Error {
  constructor(name: string, value: string, accepted: string) {
    super(`${name}: ${JSON.stringify(value)} is not ${accepted}.`);
  }
}

/** Reads environment variables. A missing or blank one gets its default. Throws SettingError. */
export function readSettings(env: NodeJS.ProcessEnv, platform = process.platform): Settings {
  // In cmd.exe, `set PORT=80 && npm start` sets "80 ".
  const read = (name: string): string => env[name]?.trim() ?? '';
  return {
    listen: parseListen(read('PORT') || '8888', read('HOST'), platform === 'win32'),
    intervalMs: parseInteger('INTERVAL_MS', read('INTERVAL_MS') || '2000', 1, 60_000),
    allowedOrigins: new Set(read('ALLOWED_ORIGINS').split(',').filter(Boolean).map(parseOrigin)),
  };
}

function parseListen(port: string, host: string, isWindows: boolean): Settings['listen'] {
  if ((isWindows ? /^\\\\[.?]\\pipe\\./i : /\//).test(port)) return { path: port };
  const path = isWindows ? 'a pipe such as \\\\.\\pipe\\dante' : 'a path such as /run/dante.sock';
  return { port: parseInteger('PORT', port, 0, 65_535, path), ...(host && { host }) };
}

function parseInteger(name: string, text: string, min: number, max: number, other?: string) {
  if (/^\d+$/.test(text) && Number(text) >= min && Number(text) <= max) return Number(text);
  const accepted = `a whole number from ${min} to ${max}${other ? `, or ${other}` : ''}`;
  throw new SettingError(name, text, accepted);
}

function parseOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`) return url.origin;
  throw new SettingError('ALLOWED_ORIGINS', text, 'an origin such as https://a.example:8443');
}
