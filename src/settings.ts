/** What the environment can set. */
export interface Settings {
  /** For `server.listen()`: a port and perhaps a host, or the path of a pipe or Unix socket. */
  listen: { port: number; host?: string } | { path: string };
  /** From one stanza to the next, in milliseconds. */
  intervalMs: number;
  /** The origins, besides the server's own, whose pages may open the stream. */
  allowedOrigins: ReadonlySet<string>;
}

/** A setting that cannot be: its message names the variable, its value and what it takes. */
export class SettingError extends Error {}

/**
 * Reads the settings from environment variables; one that is missing or blank has its default.
 * Space around a value is dropped: `set PORT=80 && npm start` in cmd.exe makes it "80 ".
 * Throws a SettingError of one line.
 */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const read = (name: string): string => env[name]?.trim() ?? '';
  return {
    listen: parseListen(read('PORT') || '8888', read('HOST')),
    intervalMs: parseInteger('INTERVAL_MS', read('INTERVAL_MS') || '2000', 1, 60_000),
    allowedOrigins: new Set(read('ALLOWED_ORIGINS').split(',').filter(Boolean).map(parseOrigin)),
  };
}

function parseListen(port: string, host: string): Settings['listen'] {
  // iisnode passes a named pipe, \\.\pipe\UUID; a Unix socket is a path with a slash.
  if (/[\\/]/.test(port)) return { path: port };
  const takes = ', or a pipe name or socket path such as \\\\.\\pipe\\dante or /run/dante.sock';
  return { port: parseInteger('PORT', port, 0, 65_535, takes), ...(host && { host }) };
}

function parseInteger(name: string, text: string, min: number, max: number, takes = ''): number {
  if (/^\d+$/.test(text) && Number(text) >= min && Number(text) <= max) return Number(text);
  const range = `a whole number from ${min} to ${max}`;
  throw new SettingError(`${name} is ${JSON.stringify(text)}, but takes ${range}${takes}.`);
}

function parseOrigin(text: string): string {
  const url = URL.canParse(text.trim()) ? new URL(text.trim()) : undefined;
  // Nothing may stand behind the origin, and its scheme must be one that pages come from.
  if (url && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`) return url.origin;
  const takes = 'origins separated by commas, such as https://a.example,https://b.example:8443';
  throw new SettingError(`ALLOWED_ORIGINS has ${JSON.stringify(text)}, but takes ${takes}.`);
}
