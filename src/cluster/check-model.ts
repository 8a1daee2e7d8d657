/**
 * What a model must be beyond its types, with the places where its parts were stated: something to send to,
 * nobody's address given twice, families that fit. What is legal but probably not meant becomes a note.
 */
import { type Address, formatAddress } from '../addr/address.js';
import { formatPrefix, prefixContains } from '../addr/prefix.js';
import { checkBlocks } from './check-blocks.js';
import { refuseEcmp } from './ecmp-settings.js';
import { PROTOCOLS } from './limits.js';
import type { ClusterModel, EndpointModel, ServiceModel } from './model.js';
import { refusePlane } from './refuse-plane.js';
import { type ClusterFacts, type Place, positionIn } from './scenario/facts.js';
import type { Problems } from './yaml/problems.js';

/** Adds what is wrong to `problems`; returns what is worth saying. */
export function checkModel(
  model: ClusterModel,
  facts: ClusterFacts,
  file: string,
  problems: Problems,
): string[] {
  const notes: string[] = [];
  if (model.nodes.length === 0) {
    problems.add(
      { file },
      'there are no nodes; list them under spec.nodes or give the Node objects of the cluster',
    );
  }
  if (model.services.length === 0 && facts.servicesGiven !== true) {
    problems.add(
      { file },
      'there are no services; list them under spec.services or give Service objects of type LoadBalancer with an address',
    );
  }
  checkNodes(model, facts, problems);
  const refusal = refusePlane(model.dataplane, model.services);
  if (refusal !== null) problems.add({ file }, `spec.dataplane: ${refusal}`);
  checkServices(model, facts, problems);
  checkVips(model, facts, problems, notes);
  checkPods(model, facts, problems, notes);
  checkBlocks(model, facts, problems);
  checkRoutes(model, facts, problems, notes);
  checkEcmp(model, facts, problems, notes);
  noteFamilies(model, notes);
  return notes;
}

/** Names are what everything else refers to: this is judged before names become rows. */
export function checkNames(facts: ClusterFacts, problems: Problems): void {
  for (const list of [facts.nodes ?? [], facts.services ?? []]) {
    const seen = new Set<string>();
    for (const { name, place } of list) {
      if (seen.has(name)) problems.add(positionIn(place, 'name'), `the name ${name} is given twice`);
      seen.add(name);
    }
  }
}

function checkNodes(model: ClusterModel, facts: ClusterFacts, problems: Problems): void {
  const owner = new Map(model.router.addresses.map((address) => [formatAddress(address), 'the router']));
  for (const [row, { name, addresses, podCidrs, podGateways }] of model.nodes.entries()) {
    const { place } = facts.nodes![row]!;
    if (addresses.length === 0) {
      problems.add(positionIn(place), `node ${name} has no address; give it one with the key address`);
    }
    for (const [i, address] of addresses.entries()) {
      claim(owner, address, `node ${name}`, () => positionIn(place, 'address', i), problems);
    }
    for (const [i, gateway] of podGateways.entries()) {
      if (podCidrs.length === 0 || podCidrs.some((cidr) => cidr.address.family === gateway.family)) continue;
      const sentence = `podGateway ${formatAddress(gateway)} of node ${name} is IPv${gateway.family}, but its podCIDR is not`;
      problems.add(positionIn(place, 'podGateway', i), sentence);
    }
  }
}

function checkServices(model: ClusterModel, facts: ClusterFacts, problems: Problems): void {
  for (const [row, service] of model.services.entries()) {
    const { place } = facts.services![row]!;
    const { fromObjects = false } = facts.services![row]!;
    if (service.vips.length === 0 && !fromObjects && !hasOtherWay(service)) {
      problems.add(positionIn(place), `service ${service.name} has no VIP; give it one with the key vip`);
    }
    if (service.ports.length === 0 && !fromObjects) {
      problems.add(positionIn(place, 'ports'), `service ${service.name} has no ports; give it at least one`);
    }
    const pods = new Set<string>();
    for (const [i, { pod }] of service.endpoints.entries()) {
      const at = facts.services![row]!.endpoints?.[i]?.place ?? place;
      if (pods.has(pod)) {
        problems.add(positionIn(at, 'pod'), `pod ${pod} is an endpoint of service ${service.name} twice`);
      }
      pods.add(pod);
    }
  }
}

function hasOtherWay({ clusterAddresses = [], ports }: ServiceModel): boolean {
  return clusterAddresses.length > 0 || ports.some(({ nodePort }) => nodePort !== undefined);
}

/** One VIP, protocol and port belongs to one service. */
function checkVips(model: ClusterModel, facts: ClusterFacts, problems: Problems, notes: string[]): void {
  const owner = new Map<string, string>();
  const nodeOf = new Map(
    model.nodes.flatMap((node) => node.addresses.map((a) => [formatAddress(a), node.name] as const)),
  );
  for (const [row, { name, vips, ports }] of model.services.entries()) {
    const { place } = facts.services![row]!;
    const own = new Set<string>();
    for (const [i, vip] of vips.entries()) {
      const text = formatAddress(vip);
      if (own.has(text))
        problems.add(positionIn(place, 'vip', i), `VIP ${text} stands twice in service ${name}`);
      own.add(text);
      const node = nodeOf.get(text);
      if (node !== undefined)
        notes.push(`VIP ${text} of service ${name} is an address of node ${node}, too.`);
    }
    for (const [i, { proto, port }] of ports.entries()) {
      const protocol = protocolName(proto);
      const keys = [...own].map((vip) => `${vip} port ${port} ${protocol}`);
      const clash = keys.find((key) => owner.has(key));
      for (const key of keys) if (!owner.has(key)) owner.set(key, name);
      if (clash === undefined) continue;
      const other = owner.get(clash)!;
      const sentence =
        other === name
          ? `service ${name} has port ${port} ${protocol} twice`
          : `services ${other} and ${name} both have ${clash}`;
      if (facts.services![row]!.fromObjects === true) notes.push(`${capital(sentence)}; ${other} gets it.`);
      else problems.add(positionIn(place, 'ports', i), sentence);
    }
  }
}

/** An address is that of one pod; pods on their host's network share the node's. */
function checkPods(model: ClusterModel, facts: ClusterFacts, problems: Problems, notes: string[]): void {
  const known = new Map<string, { endpoint: EndpointModel; service: number }>();
  const owner = new Map<string, string>();
  for (const vip of model.services.flatMap((service) => service.vips)) {
    owner.set(formatAddress(vip), 'a VIP');
  }
  for (const node of model.nodes) {
    for (const address of node.addresses) owner.set(formatAddress(address), `node ${node.name}`);
  }
  for (const [row, service] of model.services.entries()) {
    const { endpoints: stated = [], fromObjects = false } = facts.services![row]!;
    const places = new Map(stated.map(({ pod, place }) => [pod, place]));
    for (const endpoint of service.endpoints) {
      const place = places.get(endpoint.pod)!;
      const before = known.get(endpoint.pod);
      if (before !== undefined) {
        if (before.service === row || samePod(before.endpoint, endpoint)) continue;
        const sentence = `pod ${endpoint.pod} stands in two services with different nodes or addresses`;
        if (fromObjects)
          notes.push(`${capital(sentence)}; those of ${model.services[before.service]!.name} are taken.`);
        else problems.add(positionIn(place), sentence);
        continue;
      }
      known.set(endpoint.pod, { endpoint, service: row });
      for (const [i, address] of endpoint.addresses.entries()) {
        const its = owner.get(formatAddress(address));
        // what stands on no node of the cluster may well be a node's own process
        if (
          endpoint.node < 0 ? its?.startsWith('node ') : its === `node ${model.nodes[endpoint.node]!.name}`
        ) {
          continue;
        }
        if (fromObjects && its !== undefined && its !== `pod ${endpoint.pod}`) {
          notes.push(
            `Pod ${endpoint.pod} has the address ${formatAddress(address)}, which is that of ${its}.`,
          );
          continue;
        }
        claim(owner, address, `pod ${endpoint.pod}`, () => positionIn(place, 'address', i), problems);
      }
    }
  }
}

function samePod(a: EndpointModel, b: EndpointModel): boolean {
  const text = (e: EndpointModel): string => [e.node, ...e.addresses.map(formatAddress).sort()].join();
  return text(a) === text(b);
}

function checkRoutes(model: ClusterModel, facts: ClusterFacts, problems: Problems, notes: string[]): void {
  const vips = model.services.flatMap((service) => service.vips);
  const seen = new Map<string, Place>();
  for (const { prefix, place } of facts.routes ?? []) {
    const text = formatPrefix(prefix);
    const before = seen.get(text);
    if (before?.document === place.document) {
      problems.add(positionIn(place, 'prefix'), `the route to ${text} is given twice`);
    }
    seen.set(text, place);
  }
  const stated = [
    ...model.router.routes.map((route) => route.prefix),
    ...model.timeline.flatMap((event) => (event.kind === 'route' ? [event.prefix] : [])),
  ];
  const idle = stated.filter((prefix) => !vips.some((vip) => prefixContains(prefix, vip)));
  for (const text of new Set(idle.map(formatPrefix))) {
    notes.push(`The route to ${text} covers no VIP, so it carries no flow of a service.`);
  }
}

function checkEcmp(model: ClusterModel, facts: ClusterFacts, problems: Problems, notes: string[]): void {
  const { ecmp } = model.router;
  const stated = facts.ecmp?.buckets ?? ecmp.buckets;
  const refusal = refuseEcmp({ ...ecmp, buckets: stated }, model.nodes.length);
  const place = facts.ecmpPlace;
  if (refusal !== null) problems.add(place ? positionIn(place, 'buckets') : {}, refusal);
  else if (facts.ecmp?.buckets !== undefined && ecmp.buckets !== stated) {
    notes.push(`A Maglev table has a prime number of buckets: ${stated} became ${ecmp.buckets}.`);
  }
}

/** A VIP of a family that nodes or endpoints lack. */
function noteFamilies(model: ClusterModel, notes: string[]): void {
  for (const service of model.services) {
    for (const family of new Set(service.vips.map((vip) => vip.family))) {
      const lacks = (addresses: readonly Address[]): boolean => !addresses.some((a) => a.family === family);
      if (model.nodes.length > 0 && model.nodes.every((node) => lacks(node.addresses))) {
        notes.push(
          `Service ${service.name} has an IPv${family} VIP, but no node has an IPv${family} address.`,
        );
      }
      noteEndpoints(service, family, lacks, notes);
    }
  }
}

function noteEndpoints(
  service: ServiceModel,
  family: number,
  lacks: (addresses: readonly Address[]) => boolean,
  notes: string[],
): void {
  const lacking = service.endpoints.filter((endpoint) => lacks(endpoint.addresses));
  if (lacking.length === 0) return;
  const who =
    lacking.length === service.endpoints.length
      ? 'none of its endpoints has'
      : `${lacking.map((endpoint) => endpoint.pod).join(', ')} ${lacking.length === 1 ? 'has no' : 'have no'}`;
  const an = who.endsWith('no') ? `IPv${family} address` : `an IPv${family} address`;
  notes.push(`Service ${service.name} has an IPv${family} VIP, but ${who} ${an}.`);
}

function capital(sentence: string): string {
  return sentence[0]!.toUpperCase() + sentence.slice(1);
}

function claim(
  owner: Map<string, string>,
  address: Address,
  claimant: string,
  position: () => ReturnType<typeof positionIn>,
  problems: Problems,
): void {
  const text = formatAddress(address);
  const before = owner.get(text);
  if (before === undefined) owner.set(text, claimant);
  else if (before === claimant) problems.add(position(), `${claimant} has the address ${text} twice`);
  else problems.add(position(), `${claimant} has the address ${text}, which is that of ${before}`);
}

export function protocolName(proto: number): string {
  return Object.keys(PROTOCOLS).find((name) => PROTOCOLS[name] === proto) ?? String(proto);
}
