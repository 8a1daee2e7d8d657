/** The timeouts of a node under kube-proxy (seconds). */
export { DEFAULT_TIMEOUTS as defaultTimeouts } from '../../src/cluster/defaults.js';
