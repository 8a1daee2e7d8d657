/**
 * The source ports that MASQUERADE may take: the class of the original port (Linux nf_nat_core, observed):
 * below 512 from 1 to 511, below 1024 from 600 to 1023, otherwise from 1024 to 65535.
 */

export function portClassFirst(port: number): number {
  return port < 512 ? 1 : port < 1024 ? 600 : 1024;
}

/** how many ports the class of `port` has */
export function portClassSize(port: number): number {
  return port < 512 ? 511 : port < 1024 ? 424 : 64512;
}
