/** The timeouts of a node under kube-proxy (seconds). */
export const defaultTimeouts = {
  synSent: 120,
  synRecv: 60,
  established: 86400,
  finWait: 120,
  closeWait: 3600,
  lastAck: 30,
  timeWait: 120,
  close: 10,
  unacknowledged: 300,
  udp: 30,
  udpStream: 120,
  icmp: 30,
  generic: 600,
};
