/** Waiting for daemons: the lab's own, under the name that tests know it by. */
export { Hopeless, sleep, until, type WaitOptions } from '../../lab/wait.js';
