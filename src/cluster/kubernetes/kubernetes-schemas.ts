/**
 * The fields of Kubernetes, MetalLB and Calico objects that the model is made of, as `kubectl get -o yaml` prints
 * them. Everything else in an object is let pass: unlike a scenario, it is not ours to judge.
 * Sources: API reference of Kubernetes 1.31, metallb.io v1beta1/v1beta2, crd.projectcalico.org/v1.
 */
import { z } from 'zod';
import { address, prefix } from '../scenario/field-schemas.js';
import { parseDuration } from '../yaml/duration.js';

export const text = z.string({ error: 'expected text' });
export const flag = z.boolean({ error: 'expected true or false' });
export const number = z.number({ error: 'expected a number' });
export const texts = z.array(text, { error: 'expected a list' });
export const labels = z.record(z.string(), text, { error: 'expected a mapping of text' });
export const some = <S extends z.ZodRawShape>(shape: S) =>
  z.looseObject(shape, { error: 'expected a mapping' });
export const many = <S extends z.ZodType>(item: S) => z.array(item, { error: 'expected a list' });
const DURATION = 'expected a duration like 90s or 1m30s';
export const goDuration = text.transform((written, ctx) => {
  const seconds = parseDuration(written);
  if (seconds !== null && seconds >= 0) return seconds;
  ctx.addIssue({ code: 'custom', message: DURATION, input: written });
  return z.NEVER;
});

export const metadata = some({
  name: text,
  namespace: text.optional(),
  labels: labels.optional(),
  annotations: labels.optional(),
  deletionTimestamp: text.optional(),
  ownerReferences: many(some({ kind: text.optional(), name: text.optional() })).optional(),
});

const condition = some({ type: text, status: text });

export const nodeObject = some({
  metadata,
  spec: some({
    podCIDR: prefix.optional(),
    podCIDRs: many(prefix).optional(),
    unschedulable: flag.optional(),
    taints: many(some({ key: text, value: text.optional(), effect: text })).optional(),
  }).optional(),
  status: some({
    addresses: many(some({ type: text, address: text })).optional(),
    capacity: some({ cpu: z.union([text, number]).optional() }).optional(),
    conditions: many(condition).optional(),
  }).optional(),
});

const PORT = 'expected a port from 1 to 65535';
const portNumber = number.int({ error: PORT }).min(1, { error: PORT }).max(65535, { error: PORT });
const protocol = z.literal(['TCP', 'UDP', 'SCTP'], { error: 'expected one of TCP, UDP, SCTP' });

/** of a headless Service: the text None; none yet: empty */
const clusterAddress = z.union([z.literal(['None', '']), address], { error: 'expected an address or None' });

export const serviceObject = some({
  metadata,
  spec: some({
    type: text.optional(),
    ports: many(
      some({
        name: text.optional(),
        protocol: protocol.optional(),
        port: portNumber,
        targetPort: z.union([portNumber, text], { error: 'expected a port or its name' }).optional(),
        // 0 asks for any
        nodePort: number.optional().transform((port) => (port === 0 ? undefined : port)),
      }),
    ).optional(),
    selector: labels.optional(),
    clusterIP: clusterAddress.optional(),
    clusterIPs: many(clusterAddress).optional(),
    loadBalancerClass: text.optional(),
    publishNotReadyAddresses: flag.optional(),
    internalTrafficPolicy: z.literal(['Cluster', 'Local'], { error: 'expected Cluster or Local' }).optional(),
    loadBalancerIP: z.union([z.literal('').transform(() => undefined), address]).optional(),
    externalIPs: many(address).optional(),
    externalTrafficPolicy: z.literal(['Cluster', 'Local'], { error: 'expected Cluster or Local' }).optional(),
    sessionAffinity: z.literal(['None', 'ClientIP'], { error: 'expected None or ClientIP' }).optional(),
    sessionAffinityConfig: some({
      clientIP: some({ timeoutSeconds: number.optional() }).optional(),
    }).optional(),
    loadBalancerSourceRanges: texts.optional(),
    healthCheckNodePort: number.optional(),
  }),
  status: some({
    loadBalancer: some({
      ingress: many(
        some({ ip: address.optional(), hostname: text.optional(), ipMode: text.optional() }),
      ).optional(),
    }).optional(),
  }).optional(),
});
export type ServiceObject = z.output<typeof serviceObject>;

const slicePort = some({ name: text.optional(), protocol: protocol.optional(), port: portNumber.optional() });

export const endpointSliceObject = some({
  metadata,
  addressType: text.optional(),
  endpoints: many(
    some({
      addresses: texts,
      conditions: some({
        ready: flag.optional(),
        serving: flag.optional(),
        terminating: flag.optional(),
      }).optional(),
      nodeName: text.optional(),
      hints: some({
        forZones: many(some({ name: text })).optional(),
        forNodes: many(some({ name: text })).optional(),
      }).optional(),
      /** v1beta1 */
      topology: labels.optional(),
      targetRef: some({ kind: text.optional(), name: text.optional() }).optional(),
    }),
  ).optional(),
  ports: many(slicePort).optional(),
});

const endpointsAddress = some({
  ip: address,
  nodeName: text.optional(),
  targetRef: some({ kind: text.optional(), name: text.optional() }).optional(),
});

/** core/v1 Endpoints, from before EndpointSlices */
export const endpointsObject = some({
  metadata,
  subsets: many(
    some({
      addresses: many(endpointsAddress).optional(),
      notReadyAddresses: many(endpointsAddress).optional(),
      ports: many(slicePort).optional(),
    }),
  ).optional(),
});

const container = some({
  name: text.optional(),
  image: text.optional(),
  command: texts.optional(),
  args: texts.optional(),
  ports: many(
    some({ name: text.optional(), protocol: protocol.optional(), containerPort: portNumber }),
  ).optional(),
});

export const podObject = some({
  metadata,
  spec: some({
    nodeName: text.optional(),
    hostNetwork: flag.optional(),
    serviceAccountName: text.optional(),
    containers: many(container).optional(),
    initContainers: many(container).optional(),
  }).optional(),
  status: some({
    phase: text.optional(),
    podIP: text.optional(),
    podIPs: many(some({ ip: address })).optional(),
    conditions: many(condition).optional(),
  }).optional(),
});
export type PodObject = z.output<typeof podObject>;

export const labelSelector = some({
  matchLabels: labels.optional(),
  matchExpressions: many(some({ key: text, operator: text, values: texts.optional() })).optional(),
});
export type LabelSelector = z.output<typeof labelSelector>;

export const addressPoolObject = some({ metadata, spec: some({ addresses: texts.optional() }) });

export const bgpPeerObject = some({
  metadata,
  spec: some({
    myASN: number.optional(),
    peerASN: number.optional(),
    peerAddress: address.optional(),
    holdTime: goDuration.optional(),
    bfdProfile: text.optional(),
    enableGracefulRestart: flag.optional(),
    nodeSelectors: many(labelSelector).optional(),
  }),
});

const advertisement = {
  ipAddressPools: texts.optional(),
  ipAddressPoolSelectors: many(labelSelector).optional(),
  serviceSelectors: many(labelSelector).optional(),
  nodeSelectors: many(labelSelector).optional(),
};

export const bgpAdvertisementObject = some({
  metadata,
  spec: some({
    ...advertisement,
    peers: texts.optional(),
    localPref: number.optional(),
    communities: texts.optional(),
    aggregationLength: number.optional(),
    aggregationLengthV6: number.optional(),
  }).optional(),
});

export const l2AdvertisementObject = some({ metadata, spec: some(advertisement).optional() });

/** metallb.io/v1beta1, to 0.13 */
export const oldAddressPoolObject = some({
  metadata,
  spec: some({
    protocol: text.optional(),
    addresses: texts.optional(),
    bgpAdvertisements: many(
      some({ localPref: number.optional(), aggregationLength: number.optional() }),
    ).optional(),
  }),
});

export const bfdProfileObject = some({
  metadata,
  spec: some({ detectMultiplier: number.optional(), receiveInterval: number.optional() }).optional(),
});

export const ipPoolObject = some({
  metadata,
  spec: some({
    cidr: prefix,
    blockSize: number.optional(),
    ipipMode: text.optional(),
    vxlanMode: text.optional(),
    nodeSelector: text.optional(),
    disabled: flag.optional(),
  }),
});

export const ipamBlockObject = some({
  metadata,
  spec: some({
    cidr: prefix,
    affinity: text.optional(),
    deleted: flag.optional(),
    /** by place in the block: a row of `attributes`, or null */
    allocations: many(number.nullable()).optional(),
    /** places that are free, in the order in which they are given out */
    unallocated: many(number).optional(),
    attributes: many(
      some({
        handle_id: text.optional(),
        secondary: some({ node: text.optional(), type: text.optional() }).optional(),
      }),
    ).optional(),
  }),
});
