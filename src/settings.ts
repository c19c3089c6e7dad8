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
    intervalMs: parseInterval(read('INTERVAL_MS') || '2000'),
    allowedOrigins: new Set(read('ALLOWED_ORIGINS').split(',').filter(Boolean).map(parseOrigin)),
  };
}

function parseListen(port: string, host: string, isWindows: boolean): Settings['listen'] {
  if ((isWindows ? /^\\\\[.?]\\pipe\\./i : /\//).test(port)) return { path: port };
  if (isInteger(port, 0, 65_535)) return { port: Number(port), ...(host && { host }) };
  const path = isWindows ? 'a pipe such as \\\\.\\pipe\\dante' : 'a path such as /run/dante.sock';
  throw new SettingError('PORT', port, `a whole number from 0 to 65535, or ${path}`);
}

function parseInterval(text: string): number {
  if (isInteger(text, 1, 60_000)) return Number(text);
  throw new SettingError('INTERVAL_MS', text, 'a whole number from 1 to 60000');
}

function parseOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`) return url.origin;
  throw new SettingError('ALLOWED_ORIGINS', text, 'an origin such as https://a.example:8443');
}

const isInteger = (text: string, min: number, max: number): boolean =>
  /^\d+$/.test(text) && Number(text) >= min && Number(text) <= max;
