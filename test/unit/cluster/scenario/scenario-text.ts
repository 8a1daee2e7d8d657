/** A small valid scenario that tests change in one place. */
export const SCENARIO = `apiVersion: flowfate.dev/v1
kind: Scenario
metadata: { name: small }
spec:
  router:
    ecmp: { hash: linux-l4, seed: 1 }
    routes:
      - { prefix: 203.0.113.10/32, nextHops: [n1, "n2*2"] }
  dataplane: { proxy: iptables }
  nodes:
    - { name: n1, address: 10.0.0.1 }
    - { name: n2, address: 10.0.0.2 }
  services:
    - name: web
      vip: 203.0.113.10
      ports: [{ port: 80, targetPort: 8080 }]
      endpoints:
        - { pod: p1, node: n1, address: 10.244.1.10 }
  timeline:
    - { at: 5s, withdraw: n2 }
`;

/** {@link SCENARIO} with its first `before` replaced; a `before` that is not there is a mistake in the test. */
export function changed(before: string, after: string, text: string = SCENARIO): string {
  if (!text.includes(before)) throw new RangeError(`the scenario has no ${JSON.stringify(before)}`);
  return text.replace(before, () => after);
}
