/**
 * The fields of objects that configure data planes and announcers: kube-proxy, Cilium, Calico, and the DaemonSets that
 * carry them. As in kubernetes-schemas.ts, what is not named is let pass.
 */
import { z } from 'zod';
import { prefix } from '../scenario/field-schemas.js';
import {
  flag,
  goDuration,
  labelSelector,
  many,
  metadata,
  number,
  some,
  text,
  texts,
} from './kubernetes-schemas.js';

export const plainObject = some({ metadata });

export const configMapObject = some({ metadata, data: z.record(z.string(), z.unknown()).optional() });

const period = some({ minSyncPeriod: goDuration.optional() });

export const kubeProxyConfigurationObject = some({
  metadata: metadata.partial().optional(),
  mode: text.optional(),
  nodePortAddresses: texts.optional(),
  iptables: period.optional(),
  nftables: period.optional(),
  ipvs: some({ minSyncPeriod: goDuration.optional(), scheduler: text.optional() }).optional(),
  conntrack: some({
    maxPerCore: number.optional(),
    min: number.optional(),
    tcpEstablishedTimeout: goDuration.optional(),
    tcpCloseWaitTimeout: goDuration.optional(),
    tcpBeLiberal: flag.optional(),
    udpTimeout: goDuration.optional(),
    udpStreamTimeout: goDuration.optional(),
  }).optional(),
});
export type KubeProxyConfiguration = z.output<typeof kubeProxyConfigurationObject>;

export const felixConfigurationObject = some({
  metadata,
  spec: some({
    bpfEnabled: flag.optional(),
    bpfExternalServiceMode: text.optional(),
    iptablesFilterDenyAction: text.optional(),
    nftablesFilterDenyAction: text.optional(),
  }).optional(),
});

export const installationObject = some({
  metadata,
  spec: some({ calicoNetwork: some({ linuxDataplane: text.optional() }).optional() }).optional(),
});

const cidrs = many(some({ cidr: prefix })).optional();

export const calicoBgpConfigurationObject = some({
  metadata,
  spec: some({
    asNumber: number.optional(),
    serviceLoadBalancerIPs: cidrs,
    serviceExternalIPs: cidrs,
  }).optional(),
});

export const calicoBgpPeerObject = some({
  metadata,
  spec: some({
    peerIP: text.optional(),
    asNumber: number.optional(),
    node: text.optional(),
    nodeSelector: text.optional(),
  }).optional(),
});

export const ciliumPeeringPolicyObject = some({
  metadata,
  spec: some({
    nodeSelector: labelSelector.optional(),
    virtualRouters: many(
      some({
        localASN: number.optional(),
        serviceSelector: labelSelector.optional(),
        neighbors: many(some({ peerAddress: text.optional(), peerASN: number.optional() })).optional(),
      }),
    ).optional(),
  }).optional(),
});

export const ciliumClusterConfigObject = some({
  metadata,
  spec: some({
    nodeSelector: labelSelector.optional(),
    bgpInstances: many(
      some({
        peers: many(
          some({
            name: text.optional(),
            peerAddress: text.optional(),
            peerConfigRef: some({ name: text }).optional(),
          }),
        ).optional(),
      }),
    ).optional(),
  }).optional(),
});

export const ciliumPeerConfigObject = some({
  metadata,
  spec: some({
    families: many(some({ afi: text.optional(), advertisements: labelSelector.optional() })).optional(),
  }).optional(),
});

export const ciliumAdvertisementObject = some({
  metadata,
  spec: some({
    advertisements: many(
      some({
        advertisementType: text.optional(),
        service: some({ addresses: texts.optional() }).optional(),
        selector: labelSelector.optional(),
      }),
    ).optional(),
  }).optional(),
});
