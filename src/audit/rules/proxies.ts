/**
 * Who believes a client address that somebody else wrote, and who never sees one. Traefik's arguments
 * (forwardedHeaders, proxyProtocol), ingress-nginx's ConfigMap (use-forwarded-headers, use-proxy-protocol with
 * proxy-real-ip-cidr, whose default is everybody).
 */
import type { Evidence, Finding } from '../finding.js';
import { type AuditedService, type Inventory, strings, type Thing, text } from '../inventory.js';

const EVERYBODY = /(^|,)\s*(0\.0\.0\.0\/0|::\/0)\s*(,|$)/;

export function proxyFindings(inventory: Inventory): Finding[] {
  const owners = ['Deployment', 'DaemonSet', 'StatefulSet'].flatMap((kind) => inventory.of(kind, 'apps'));
  return [
    ...owners.flatMap(traefik),
    ...inventory.of('ConfigMap').flatMap(nginx),
    ...inventory.services.flatMap((service) => lost(service, inventory)),
  ];
}

interface Argument {
  readonly key: string;
  readonly value: string;
  readonly evidence: Evidence;
}

function argumentsOf(owner: Thing): Argument[] {
  const at = ['spec', 'template', 'spec', 'containers'];
  return owner.list(...at).flatMap((_, i) =>
    ['command', 'args'].flatMap((list) =>
      strings(owner.at(...at, i, list)).map((word, j): Argument => {
        const [key = '', ...value] = word.replace(/^-+/, '').split('=');
        return {
          key: key.toLowerCase(),
          value: value.length === 0 ? 'true' : value.join('='),
          evidence: owner.evidence(word, ...at, i, list, j),
        };
      }),
    ),
  );
}

function traefik(owner: Thing): Finding[] {
  return argumentsOf(owner).flatMap(({ key, value, evidence }): Finding[] => {
    const match = /^entrypoints\.([^.]+)\.(forwardedheaders|proxyprotocol)\.(insecure|trustedips)$/.exec(key);
    if (match === null) return [];
    const isOpen = match[3] === 'insecure' ? value.toLowerCase() === 'true' : EVERYBODY.test(value);
    return isOpen
      ? [
          forged(
            `Traefik (${owner.title})`,
            match[2] === 'proxyprotocol' ? 'a PROXY header' : 'X-Forwarded-For',
            [evidence],
          ),
        ]
      : [];
  });
}

function nginx(config: Thing): Finding[] {
  const data = (key: string): string | undefined => config.text('data', key);
  const isOn = (key: string): boolean => data(key)?.toLowerCase() === 'true';
  const cidr = data('proxy-real-ip-cidr');
  const isOpen = cidr === undefined || EVERYBODY.test(cidr);
  const range =
    cidr === undefined
      ? config.evidence('proxy-real-ip-cidr is not set: 0.0.0.0/0', 'data')
      : config.evidence(`proxy-real-ip-cidr: ${cidr}`, 'data', 'proxy-real-ip-cidr');
  return (['use-forwarded-headers', 'use-proxy-protocol'] as const).flatMap((key): Finding[] => {
    if (!isOn(key) || !isOpen) return [];
    const header = key === 'use-proxy-protocol' ? 'a PROXY header' : 'X-Forwarded-For';
    return [
      forged(`ingress-nginx (${config.title})`, header, [
        config.evidence(`${key}: "true"`, 'data', key),
        range,
      ]),
    ];
  });
}

function forged(who: string, header: string, evidence: Evidence[]): Finding {
  return {
    rule: 'forged-client-address',
    severity: 'medium',
    finding: `${who} believes ${header} of anybody.`,
    mechanism: `Whoever can open a connection to it writes ${header} himself, and the proxy passes the address on as the client’s.`,
    breaks: 'Rate limits, allow lists, audit logs: all of them see the address that the client chose.',
    remedy:
      'Trust the addresses of the load balancer before it and nobody else, and have the first hop overwrite the header.',
    evidence,
  };
}

const PROXIES: readonly (readonly [name: string, image: RegExp])[] = [
  ['Traefik', /(^|\/)traefik(:|@|$)/],
  ['ingress-nginx', /ingress-nginx\/controller|nginx-ingress-controller/],
  ['HAProxy', /(^|\/)(haproxy|haproxy-ingress|kubernetes-ingress)(:|@|$)/],
  ['Envoy', /(^|\/)(envoy|contour-envoy|envoy-distroless)(:|@|$)/],
];

/** A proxy behind policy Cluster and kube-proxy: the node that takes a connection puts its own address before it. */
function lost(service: AuditedService, inventory: Inventory): Finding[] {
  if (service.policy !== 'Cluster' || !service.isExternal || keepsSource(inventory)) return [];
  for (const member of service.members) {
    const pod = inventory.podOf(member);
    if (pod === undefined || pod.at('spec', 'hostNetwork') === true) continue;
    for (const [i] of pod.list('spec', 'containers').entries()) {
      const image = pod.text('spec', 'containers', i, 'image') ?? '';
      const proxy = PROXIES.find(([, pattern]) => pattern.test(image));
      if (proxy === undefined) continue;
      return [
        {
          rule: 'lost-client-address',
          severity: 'medium',
          finding: `${proxy[0]} behind service ${service.title} sees the nodes’ addresses in place of its clients’.`,
          mechanism:
            'Under policy Cluster kube-proxy masquerades what comes from outside, so that the answer returns through the same node.',
          breaks: 'X-Forwarded-For names a node; limits and lists by client address act on nodes.',
          remedy:
            'externalTrafficPolicy: Local, or PROXY protocol from a load balancer before it, or a data plane that keeps the source (Cilium DSR, Calico eBPF).',
          evidence: [
            service.thing.evidence(
              `spec.externalTrafficPolicy: ${service.thing.text('spec', 'externalTrafficPolicy') ?? 'Cluster (by default)'}`,
              'spec',
              'externalTrafficPolicy',
            ),
            pod.evidence(`image: ${image}`, 'spec', 'containers', i, 'image'),
          ],
        },
      ];
    }
  }
  return [];
}

/** Whether the objects show a data plane that does not masquerade, or one that nobody can tell. */
function keepsSource(inventory: Inventory): boolean {
  const cilium = inventory.of('ConfigMap').find(({ name }) => name === 'cilium-config');
  const felix = inventory.of('FelixConfiguration').some((one) => one.at('spec', 'bpfEnabled') === true);
  const replaced = text(cilium?.at('data', 'kube-proxy-replacement'));
  return felix || (replaced !== undefined && !['false', 'disabled'].includes(replaced));
}
