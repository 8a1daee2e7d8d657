/**
 * What is dropped of an object as soon as it is read, so that a dump of a large cluster fits into memory: fields that
 * nothing here asks for and that make up most of a dump. Whatever bears on a path stays.
 */

/** Environments of pods are full of secrets; those of software that announces or forwards say how it does so. */
const TELLING_IMAGES =
  /kube-vip|kube-router|kube-proxy|calico|cilium|metallb|bigip|haproxy|nginx|traefik|envoy/;

export function pruneObject(object: Record<string, unknown>): void {
  const metadata = mapping(object.metadata);
  if (metadata !== null) {
    delete metadata.managedFields;
    const annotations = mapping(metadata.annotations);
    if (annotations !== null) delete annotations['kubectl.kubernetes.io/last-applied-configuration'];
  }
  if (object.kind === 'Node') {
    const status = mapping(object.status);
    for (const key of ['images', 'volumesInUse', 'volumesAttached']) delete status?.[key];
  } else if (object.kind === 'Pod') prunePod(object);
}

function prunePod(pod: Record<string, unknown>): void {
  const spec = mapping(pod.spec);
  for (const key of ['volumes', 'imagePullSecrets', 'schedulerName']) delete spec?.[key];
  for (const list of ['containers', 'initContainers', 'ephemeralContainers']) {
    const containers = spec?.[list];
    if (!Array.isArray(containers)) continue;
    for (const container of containers.map(mapping)) {
      if (container === null) continue;
      delete container.volumeMounts;
      delete container.envFrom;
      if (!TELLING_IMAGES.test(String(container.image))) delete container.env;
    }
  }
  const status = mapping(pod.status);
  for (const key of ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses'])
    delete status?.[key];
}

function mapping(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}
