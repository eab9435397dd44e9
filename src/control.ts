/** The control socket: how `sockmon status`, `restart` and `reboot` reach the running daemon. */
export { ask } from './control/client.js';
export type { ControlAnswer, ControlCommand, ControlRequest, StatusAnswer } from './control/protocol.js';
export { type ControlHandlers, type ControlServer, listen } from './control/server.js';
