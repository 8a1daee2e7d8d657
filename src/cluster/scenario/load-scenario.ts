/**
 * Text to model: scenario documents and Kubernetes objects, from one file or several, in any order.
 *
 *   text ─► document-reader ─► objects ─► scenario-facts / kubernetes-facts ─► overlay ─► resolve-model ─► check-model
 *
 * What a Scenario says wins over what objects say about the same thing; a later Scenario wins over an earlier
 * one. Every fault names file, line and column; up to ten are found in one go.
 */
import { FlowfateError } from '../../errors.js';
import { assumptionsOf } from '../assumptions.js';
import { checkModel, checkNames } from '../check-model.js';
import { withAnnouncers } from '../kubernetes/announcers.js';
import { kubernetesFacts } from '../kubernetes/kubernetes-facts.js';
import { type Remarks, readObjects } from '../kubernetes/kubernetes-objects.js';
import { networkPolicies } from '../kubernetes/network-policies.js';
import type { ClusterModel, DataplaneModel } from '../model.js';
import type { PolicyModel } from '../policy-model.js';
import { routerFacts } from '../router-tables/router-facts.js';
import type { RouterTable } from '../router-tables/router-table.js';
import { type ReadFile, readDocuments } from '../yaml/document-reader.js';
import { Problems, placeText } from '../yaml/problems.js';
import type { ScenarioInput } from '../yaml/yaml-source.js';
import { eventFacts } from './event-text.js';
import { type ClusterFacts, overlay, type Place, positionIn } from './facts.js';
import { resolveModel } from './resolve-model.js';
import { scenarioFacts } from './scenario-facts.js';
import { isScenario, objectsOf, type SourceObject } from './source-objects.js';

export type { ScenarioInput } from '../yaml/yaml-source.js';

/** A file that was read already, of whatever form (`input/read-sources.ts`). */
export interface SourceFile extends ReadFile {
  readonly name: string;
  /** what is wrong with it */
  readonly problems: Problems;
  /** it was found in a folder or an archive: what is no Kubernetes object there is passed over with a note */
  readonly isFound: boolean;
}

export interface LoadOptions {
  /** further events, as `--event` takes them: "5s withdraw n2" */
  readonly events?: readonly string[];
  /** instead of the scenario's; the router's hash seed is drawn from it, too, where none is stated */
  readonly seed?: number;
  /** what the router itself says; a Scenario's own words about it win */
  readonly routerTables?: readonly RouterTable[];
  /** gets the notes and what was not read, also where loading fails */
  readonly remarks?: Remarks;
}

export interface LoadedScenario {
  readonly model: ClusterModel;
  /** what was chosen, left out or looks odd: sentences for standard error or the report */
  readonly notes: readonly string[];
  /** where nodes, services and the router's routes were read, and what was assumed: a line each */
  readonly origins?: () => string[];
}

/** Throws a {@link FlowfateError} (mostly a ScenarioError) of code `config` for whatever is wrong. */
export function loadScenario(
  inputs: readonly (ScenarioInput | SourceFile)[],
  options: LoadOptions = {},
): LoadedScenario {
  const problems = new Problems();
  const { remarks = { notes: [], unread: [] } } = options;
  const { notes } = remarks;
  const files = inputs.map((input) => ('text' in input ? readText(input) : input));
  for (const file of files) refuseEmpty(file, problems);
  problems.throwIfAny();
  const objects = files.flatMap((file) => objectsIn(file, problems, remarks));
  const others = readObjects(
    objects.filter((object) => !isScenario(object)),
    problems,
    remarks,
  );
  const cluster = kubernetesFacts(others, problems, remarks);
  const scenarios = objects
    .filter(isScenario)
    .flatMap(({ document, path, data }) => scenarioFacts(document, path, data, problems) ?? []);
  problems.throwIfAny();
  const events = (options.events ?? []).map(eventFacts);
  const seed = options.seed === undefined ? {} : { seed: options.seed };
  const stated = [cluster, ...scenarios, { timeline: events, ...seed }].reduce(overlay, {});
  const router = routerFacts(options.routerTables ?? [], stated);
  notes.push(...router.notes);
  const whole = withoutUnreachableNodes(overlay(router.facts, stated), notes);
  const facts = withoutKnownPlane(withAnnouncers(whole, others, remarks));
  const file = inputs[0]?.name ?? 'scenario';
  checkNames(facts, problems);
  problems.throwIfAny();
  const resolved = resolveModel(facts, nameOf(file), problems);
  notes.push(...orderNote(scenarios), ...checkModel(resolved, facts, file, problems));
  problems.throwIfAny();
  const policies = networkPolicies(others, facts, remarks);
  const unread = [...remarks.unread, ...router.unread];
  const model = {
    ...resolved,
    ...(policies === undefined ? {} : enforced(resolved.dataplane, policies)),
    assumed: assumptionsOf(facts, resolved),
    unread,
  };
  return { model, notes, origins: () => originsOf(facts, options.routerTables ?? [], model) };
}

/** Under a data plane that is not modelled no service is judged. */
function withoutKnownPlane(facts: ClusterFacts): ClusterFacts {
  const { proxy, ipvs, notModelled } = facts.dataplane ?? {};
  if (notModelled === undefined) return facts;
  const { setting, sentence } = notModelled;
  const isStated =
    setting === 'proxy' ? proxy !== undefined : proxy !== 'ipvs' || ipvs?.scheduler !== undefined;
  if (isStated) return facts;
  const services = (facts.services ?? []).map((service) => ({ notModelled: sentence, ...service }));
  return { ...facts, services };
}

function enforced(dataplane: DataplaneModel, policies: PolicyModel): Partial<ClusterModel> {
  return { policies, dataplane: { ...dataplane, networkPolicy: policies.engine } };
}

/** Virtual kubelets and the dummy nodes of load balancers have no address: nothing can be sent to them. */
function withoutUnreachableNodes(facts: ClusterFacts, notes: string[]): ClusterFacts {
  const idle = (facts.nodes ?? []).filter(
    ({ fromObjects, addresses }) => fromObjects === true && (addresses ?? []).length === 0,
  );
  if (idle.length === 0) return facts;
  const names = idle.map(({ name }) => name).join(', ');
  notes.push(`Without an InternalIP, and so left out: node ${names}.`);
  return { ...facts, nodes: facts.nodes!.filter((node) => !idle.includes(node)) };
}

function originsOf(facts: ClusterFacts, tables: readonly RouterTable[], model: ClusterModel): string[] {
  const from = (what: string, place: Place): string =>
    `${what}: ${placeText(positionIn(place)).replace(/: $/, '')}`;
  return [
    ...(facts.nodes ?? []).map(({ name, place }) => from(`node ${name}`, place)),
    ...(facts.services ?? []).map(({ name, place }) => from(`service ${name}`, place)),
    ...tables.map(({ source, file }) => `router: ${source}${file === undefined ? '' : `, ${file}`}`),
    ...(model.assumed ?? []).map(({ what, value, because }) => `${what}: ${value}, assumed: ${because}`),
  ];
}

function readText(input: ScenarioInput): SourceFile {
  const problems = new Problems();
  return { name: input.name, problems, isFound: false, ...readDocuments(input, problems) };
}

function refuseEmpty({ name, problems: own, isFound, isEmpty }: SourceFile, problems: Problems): void {
  if (isFound) return;
  problems.addAll(own);
  if (!isEmpty) return;
  throw new FlowfateError(
    'config',
    `${name}: is empty; a scenario begins with "apiVersion: flowfate.dev/v1" and "kind: Scenario"`,
    { file: name },
  );
}

/** Of a file that was named, all or a fault; of one that was found in a dump, what can be read of it. */
function objectsIn(
  { documents, problems: own, isFound }: SourceFile,
  problems: Problems,
  { notes, unread }: Remarks,
): SourceObject[] {
  if (!isFound) return documents.flatMap((document) => objectsOf(document, problems));
  const damage = own.firstSentence();
  if (damage !== null) {
    const sentence = `${damage}; the rest of this file was left out.`;
    notes.push(sentence);
    unread.push(`File ${sentence}`);
  }
  return documents.flatMap((document) => {
    const others = new Problems();
    return objectsOf(document, others);
  });
}

/** Entries that do not stand in the order of time; those of the command line may. */
function orderNote(scenarios: readonly ClusterFacts[]): string[] {
  const timeline = scenarios.flatMap((facts) => facts.timeline ?? []);
  const late = timeline.find(({ entry }, i) => i > 0 && entry.at < timeline[i - 1]!.entry.at);
  if (late === undefined) return [];
  return [`The timeline is not in the order of time (${late.entry.at} s stands late); it was sorted.`];
}

/** `runs/withdraw-one.yaml` is called withdraw-one. */
function nameOf(file: string): string {
  const base = file.split(/[/\\]/).at(-1) ?? file;
  return base.replace(/\.(ya?ml|json)$/i, '') || file;
}
