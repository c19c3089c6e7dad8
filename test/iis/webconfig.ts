/** What IIS and iisnode take from a web.config, with what they take where it says nothing. */
export interface WebConfig {
  /** Whether IIS's own WebSocket module is on. */
  webSocket: boolean;
  /** Which module answers for which path, the first match first. */
  handlers: { path: string; module: string }[];
  /** Whether IIS puts its own page in the place of what an application says with an error. */
  replaceErrors: boolean;
  iisnode: {
    maxConcurrentRequestsPerProcess: number;
    gracefulShutdownTimeout: number;
    maxNamedPipePooledConnectionAge: number;
    watchedFiles: string;
    debuggingEnabled: boolean;
    devErrorsEnabled: boolean;
  };
}

/** The attributes that iisnode 0.2.x has (its iisnode_schema.xml); IIS answers 500.19 to any other. */
const IISNODE_ATTRIBUTES =
  'node_env asyncCompletionThreadCount nodeProcessCountPerApplication nodeProcessCommandLine interceptor ' +
  'maxConcurrentRequestsPerProcess maxNamedPipeConnectionRetry namedPipeConnectionRetryDelay ' +
  'maxNamedPipeConnectionPoolSize maxNamedPipePooledConnectionAge initialRequestBufferSize ' +
  'maxRequestBufferSize uncFileChangesPollingInterval gracefulShutdownTimeout logDirectory ' +
  'debuggingEnabled debugHeaderEnabled debuggerPathSegment debuggerPortRange maxLogFileSizeInKB ' +
  'maxTotalLogFileSizeInKB maxLogFiles loggingEnabled devErrorsEnabled flushResponse watchedFiles ' +
  'enableXFF promoteServerVars configOverrides';

const ELEMENTS: Record<string, string> = {
  configuration: '',
  'system.webServer': '',
  webSocket: 'enabled',
  handlers: '',
  clear: '',
  add: 'name path verb modules',
  httpErrors: 'existingResponse',
  iisnode: IISNODE_ATTRIBUTES,
};

/**
 * Reads the text of a web.config. Throws an Error, as IIS answers 500.19, if it is not well formed
 * or has an element or attribute that IIS does not know there.
 */
export function parseWebConfig(text: string): WebConfig {
  const config: WebConfig = {
    webSocket: true,
    handlers: [{ path: '*', module: 'StaticFile' }],
    replaceErrors: true,
    iisnode: {
      maxConcurrentRequestsPerProcess: 1024,
      gracefulShutdownTimeout: 60_000,
      maxNamedPipePooledConnectionAge: 30_000,
      watchedFiles: '*.js;iisnode.yml',
      debuggingEnabled: true,
      devErrorsEnabled: true,
    },
  };
  const open: string[] = [];
  let added = 0;
  const bare = text.replace(/^<\?xml[^>]*\?>/, '').replace(/<!--(?:(?!--)[^])*-->/g, '');
  const rest = bare.replace(/<(\/?)([\w.]+)((?:\s+\w+="[^"<&]*")*)\s*(\/?)>/g, (_tag, end: string, name: string, list: string, single: string) => {
    if (end) {
      if (open.pop() !== name) throw new Error(`500.19: </${name}> closes nothing`);
      return '';
    }
    const attributes = Object.fromEntries(
      [...list.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]): [string, string] => [key ?? '', value ?? '']),
    );
    const known = ELEMENTS[name]?.split(' ');
    for (const attribute of Object.keys(attributes)) {
      if (!known?.includes(attribute)) throw new Error(`500.19: unrecognized attribute ${attribute}`);
    }
    if (!known) throw new Error(`500.19: unrecognized element ${name}`);
    if (!single) open.push(name);
    if (name === 'webSocket') config.webSocket = attributes['enabled'] !== 'false';
    if (name === 'clear') config.handlers = [];
    // An application's own handlers come before those it inherits.
    if (name === 'add') {
      config.handlers.splice(added++, 0, { path: attributes['path'] ?? '', module: attributes['modules'] ?? '' });
    }
    if (name === 'httpErrors') config.replaceErrors = attributes['existingResponse'] !== 'PassThrough';
    if (name === 'iisnode') {
      for (const [key, value] of Object.entries(config.iisnode)) {
        const text = attributes[key];
        const typed = typeof value === 'number' ? Number(text) : typeof value === 'boolean' ? text === 'true' : text;
        if (text !== undefined) Object.assign(config.iisnode, { [key]: typed });
      }
    }
    return '';
  });
  if (rest.trim() !== '' || open.length > 0) throw new Error(`500.19: not well formed: ${rest.trim()}${open.join()}`);
  return config;
}
