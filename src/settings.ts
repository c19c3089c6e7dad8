/** The settings of the server, from environment variables. */
export interface Settings {
  listen: { port: number; host?: string } | { path: string }; // For server.listen().
  intervalMs: number; // From one stanza to the next, in milliseconds.
  allowedOrigins: ReadonlySet<string>; // Other origins whose pages may connect.
}

/** An invalid setting. The message names the variable, the value and what it must be. */
export class SettingError extends Error {}

/** Reads environment variables. A missing or blank one gets its default. Throws SettingError. */
export function readSettings(env: NodeJS.ProcessEnv, platform = process.platform): Settings {
  // In cmd.exe, `set PORT=80 && npm start` sets "80 ".
  const read = (name: string): string => env[name]?.trim() ?? '';
  return {
    listen: parseListen(read('PORT') || '8888', read('HOST'), platform),
    intervalMs: parseInteger('INTERVAL_MS', read('INTERVAL_MS') || '2000', 1, 60_000),
    allowedOrigins: new Set(read('ALLOWED_ORIGINS').split(',').filter(Boolean).map(parseOrigin)),
  };
}

function parseListen(port: string, host: string, platform: string): Settings['listen'] {
  const isWindows = platform === 'win32';
  if ((isWindows ? /^\\\\[.?]\\pipe\\./i : /\//).test(port)) return { path: port };
  const path = isWindows ? 'a pipe such as \\\\.\\pipe\\dante' : 'a path such as /run/dante.sock';
  return { port: parseInteger('PORT', port, 0, 65_535, `, or ${path}`), ...(host && { host }) };
}

function parseInteger(name: string, text: string, min: number, max: number, or = ''): number {
  if (/^\d+$/.test(text) && Number(text) >= min && Number(text) <= max) return Number(text);
  const range = `a whole number from ${min} to ${max}`;
  throw new SettingError(`${name} is ${JSON.stringify(text)}, but must be ${range}${or}.`);
}

function parseOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`) return url.origin;
  const list = 'a list of origins such as https://a.example,https://b.example:8443';
  throw new SettingError(`ALLOWED_ORIGINS contains ${JSON.stringify(text)}, but must be ${list}.`);
}
