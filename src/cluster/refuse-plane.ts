/** Settings of data planes that exclude each other, with the reason. */
import type { DataplaneModel, ServiceModel } from './model.js';

/** Why these settings cannot be together; null where they can. */
export function refusePlane(
  { proxy, overlay, cilium, calicoEbpf }: Pick<DataplaneModel, 'proxy' | 'overlay' | 'cilium' | 'calicoEbpf'>,
  services: readonly Pick<ServiceModel, 'name' | 'externalTrafficPolicy'>[],
): string | null {
  if (proxy === 'cilium' && overlay === 'ipip') {
    return 'proxy cilium has no overlay ipip; use vxlan, or none for native routing';
  }
  if (proxy === 'cilium' && overlay === 'vxlan' && cilium.mode !== 'snat') {
    return `proxy cilium in mode ${cilium.mode} needs native routing; use overlay none, or mode snat`;
  }
  if (proxy !== 'calico-ebpf' || !calicoEbpf.maglev) return null;
  if (calicoEbpf.mode !== 'dsr') {
    return 'proxy calico-ebpf with maglev needs mode dsr: only then may an answer leave by another node';
  }
  const local = services.find(({ externalTrafficPolicy }) => externalTrafficPolicy === 'Local');
  if (local === undefined) return null;
  return `service ${local.name} has externalTrafficPolicy Local, in which calico-ebpf's maglev takes no part; use Cluster`;
}
