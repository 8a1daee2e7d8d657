/** Waiting for daemons: the lab's own, under the name that tests know it by. */
export { sleep, until, type WaitOptions } from '../../lab/wait.js';
