/** A node:http server that answers a constant as long as the page: what a page can cost at the least. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const body = readFileSync(join(__dirname, '..', '..', 'public', 'index.html'));
const headers = { 'Content-Type': 'text/html; charset=utf-8', 'Content-Length': body.length };

createServer((_request, response) => void response.writeHead(200, headers).end(body)).listen(
  Number(process.env['PORT']),
  '127.0.0.1',
);
