import { createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { OnRequest } from './app.js';
import { createHistory } from './history.js';
import { textReply, type Reply } from './reply.js';

const LOGIN = '<!DOCTYPE html><title>Sign in</title><form method="post"><label>Secret <input ' +
  'name="secret" type="password"></label> <button>Sign in</button></form>';

/**
 * A board: those who have the secret post JSON, and sign in at /login to read. It needs history.ts.
 * For `createApp(stream, settings, onRequest)` in src/server.ts. To post:
 * `curl -H 'Authorization: Bearer SECRET' -d '{"text":"Hello"}' http://localhost:8888/post`
 */
export function createBoard(secret: string) {
  const { publish, stream } = createHistory();
  const cookie = `session=${createHmac('sha256', secret).update('session').digest('base64url')}`;

  async function post(request: IncomingMessage): Promise<Reply> {
    if (request.headers.authorization !== `Bearer ${secret}`) return textReply(401, 'No secret.');
    const body = await readBody(request);
    if (body === undefined) return textReply(413, 'The body is over 10 KB.');
    try {
      const { text } = JSON.parse(body);
      if (typeof text !== 'string') return textReply(400, 'The JSON has no text.');
      publish(text);
      return textReply(201, 'Posted.');
    } catch {
      return textReply(400, 'The body is no JSON object.');
    }
  }

  async function login(request: IncomingMessage): Promise<Reply> {
    if (request.method !== 'POST') return textReply(200, LOGIN, { 'Content-Type': 'text/html' });
    const given = new URLSearchParams(await readBody(request)).get('secret');
    if (given !== secret) return textReply(401, 'That is not the secret.');
    const attributes = 'HttpOnly; SameSite=Strict'; // Behind TLS, add Secure.
    return textReply(303, 'Welcome.', { Location: '.', 'Set-Cookie': `${cookie}; ${attributes}` });
  }

  const onRequest: OnRequest = (request, path) => {
    if (path === '/post') return post(request);
    if (path === '/login') return login(request);
    if (request.headers.cookie?.split('; ').includes(cookie)) return undefined;
    return textReply(401, 'Sign in at server-faye.js/login.');
  };
  return { stream, onRequest };
}

/** Resolves with undefined if the body is too long. Rejects if the sender leaves. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  let body = '';
  // A request that is destroyed takes its connection with it, and so the reply.
  for await (const chunk of request.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    body += chunk;
    if (body.length > 10_000) return undefined;
  }
  return body;
}
