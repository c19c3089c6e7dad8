/** For node.exe in Wine 8: there a socket that sets keep-alive first cannot connect. */
import { Socket } from 'node:net';
Socket.prototype.setKeepAlive = function () { return this; };
